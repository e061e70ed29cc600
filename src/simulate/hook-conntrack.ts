import { confirm, type Tracked, type TrackOptions, track } from './conntrack.ts';
import { isRefused } from './conntrack-clash.ts';
import type { AtHook, Cursor, Move, Walk, Way } from './cursor.ts';
import { go, prefixed, stop } from './cursor.ts';
import { existingConnection, missingConnections } from './existing-connections.ts';
import { makeStep, sourceAt, sourceOf } from './steps.ts';
import { readSysctl, switchedOn } from './sysctl.ts';
import type { Step } from './trace.ts';
import type { Connection } from './tracking.ts';
import { UNDECIDED } from './truth.ts';

const LOOSE = 'net.netfilter.nf_conntrack_tcp_loose';

/** The connection tracking hook; it is there where some rule has switched it on (conntrack-use.ts). */
export function trackAtHook(walk: Walk, cursor: AtHook): Move {
  const { snapshot } = walk.world;
  const missing = missingConnections(snapshot, cursor);
  const asking = missing ? { ...cursor, wants: [...(cursor.wants ?? []), missing] } : cursor;
  const results = resultsOf(walk, asking);
  if (results.length === 1) return onward(walk, asking, results[0]!);
  const moves = results.map((result) => onward(walk, asking, result));
  const ways = moves.flatMap((move) => move.ways.map((way): Way => ({ ...way, chance: UNDECIDED })));
  return { fork: 'undecided', ways };
}

/** The last of a packet's hooks: its entry is put into the table, unless another entry forbids it. */
export function confirmAtHook(cursor: AtHook): Move {
  const { tracking, meta } = cursor;
  if (!isRefused(tracking)) return go({ ...cursor, tracking: confirm(tracking, meta) });
  const step = makeStep({
    kind: 'conntrack',
    at: `${cursor.stage.hook} conntrack`,
    matched: 'no',
    source: sourceAt(cursor.place, 'conntrack.statistics'),
    values: { state: 'clash', zone: meta.zone },
    text: 'another connection already has these addresses and ports: the packet is dropped',
    features: ['conntrack clash'],
  });
  return stop({ end: 'conntrack-refused', cursor, senderSees: 'nothing' }, [step]);
}

/** Two where it depends on a setting that was not seen. */
function resultsOf(walk: Walk, cursor: AtHook): readonly Tracked[] {
  const { place, packet, meta, tracking } = cursor;
  const { snapshot } = walk.world;
  const existing: TrackOptions['existing'] = (tuple, zone) => existingConnection(snapshot, place, tuple, zone);
  const setting = readSysctl(snapshot, place, LOOSE);
  const loose = setting.state === 'absent' ? 'yes' : switchedOn(setting);
  if (loose !== 'unknown') return [track(place, packet, meta, tracking, { loose: loose === 'yes', existing })];
  const strict = track(place, packet, meta, tracking, { loose: false, existing });
  const eased = track(place, packet, meta, tracking, { loose: true, existing });
  if (eased.meta.conntrack === strict.meta.conntrack) return [eased];
  return [eased, strict];
}

function onward(walk: Walk, cursor: AtHook, result: Tracked): Move {
  const next: Cursor = { ...cursor, ...result };
  if (next.meta.conntrack === 'invalid') return go(next, [invalidStep(cursor)]);
  const known = next.tracking.current?.connection;
  const step = known?.text === undefined ? [] : [existingStep(walk, cursor, known)];
  const isNew = known !== undefined && !known.confirmed && cursor.tracking.current === undefined;
  const full = isNew ? fullStep(walk, cursor) : undefined;
  if (!full) return go(next, step);
  // A full table gives up an entry that is not assured, if it finds one (early_drop).
  const refused: Way = {
    chance: UNDECIDED,
    steps: [full],
    to: { end: 'conntrack-refused', cursor: next, senderSees: 'nothing' },
  };
  return { fork: 'undecided', ways: [...prefixed([full], go(next, step)).ways.map(perhaps), refused] };
}

function perhaps(way: Way): Way {
  return { ...way, chance: UNDECIDED };
}

/** An invalid packet is told, since rules drop it and NAT leaves it alone. */
function invalidStep(cursor: AtHook): Step {
  return makeStep({
    kind: 'conntrack',
    at: `${cursor.stage.hook} conntrack`,
    source: sourceAt(cursor.place, 'conntrack.statistics'),
    values: { state: 'invalid', zone: cursor.meta.zone },
    text: 'belongs to no connection that this host knows, and can begin none: INVALID',
    features: ['conntrack invalid'],
  });
}

function existingStep(walk: Walk, cursor: AtHook, { text }: Connection): Step {
  return makeStep({
    kind: 'conntrack',
    at: `${cursor.stage.hook} conntrack`,
    source: sourceOf(walk.world.snapshot.fact('sysctls', cursor.place), text),
    values: { state: 'existing', zone: cursor.meta.zone },
    text: `belongs to a connection that is in the table: ${text}`,
    features: ['conntrack existing'],
  });
}

/** nf_conntrack_count and _max; undefined where there is room, or where they were not seen. */
function fullStep(walk: Walk, cursor: AtHook): Step | undefined {
  const { snapshot } = walk.world;
  const [count, max] = ['nf_conntrack_count', 'nf_conntrack_max'].map((name) =>
    readSysctl(snapshot, cursor.place, `net.netfilter.${name}`),
  );
  if (count?.state !== 'seen' || max?.state !== 'seen' || max.value === 0 || count.value < max.value) return undefined;
  return makeStep({
    kind: 'conntrack',
    at: `${cursor.stage.hook} conntrack`,
    matched: 'unknown',
    source: sourceOf(snapshot.fact('sysctls', cursor.place), `${count.key} = ${count.value}`),
    values: { state: 'full', count: count.value, max: max.value, zone: cursor.meta.zone },
    text: `the table of connections is full: ${count.value} of ${max.value}`,
    features: ['conntrack full'],
  });
}
