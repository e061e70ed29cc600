import type { Reply } from '../../src/host/host.ts';
import { type Place, placeKey } from '../../src/net/place.ts';
import { createSnapshot } from '../../src/snapshot/create-snapshot.ts';
import type { FactArgs, FactName } from '../../src/snapshot/facts.ts';
import type { Snapshot, SnapshotChange } from '../../src/snapshot/snapshot.ts';

/** A value in the JSON that a tool showed, made another: for states that no overlay of the snapshot can say. */
export interface ShownChange {
  readonly op: 'shown';
  readonly place: Place;
  readonly action: FactName;
  readonly args?: FactArgs;
  /** The objects that are meant, by values at dotted paths: `{ ifname: 'v1' }`. */
  readonly where: Readonly<Record<string, unknown>>;
  /** New values at dotted paths, null takes one away; absent: the whole object goes. */
  readonly set?: Readonly<Record<string, unknown>>;
}

export type StateChange = SnapshotChange | ShownChange;

type Shown = Record<string, unknown>;

/** The snapshot as it would be if the tools had shown that; undefined where a change finds nothing to hold on to. */
export function withShown(
  base: Snapshot,
  replies: readonly Reply[],
  changes: readonly ShownChange[],
): Snapshot | undefined {
  if (changes.length === 0) return base;
  let current = replies;
  const touched = new Set<number>();
  for (const change of changes) {
    const at = current.findIndex(({ request }) => isMeant(request, change));
    const edited = at < 0 ? undefined : editedReply(current[at]!, change);
    if (!edited) return undefined;
    current = current.with(at, edited);
    touched.add(at);
  }
  return withReplies(
    base,
    [...touched].map((at) => current[at]!),
  );
}

/** The same snapshot with other answers to some questions. */
export function withReplies(base: Snapshot, replies: readonly Reply[]): Snapshot {
  const other = createSnapshot(replies);
  const snapshot: Snapshot = {
    fact: (name, place, args) => {
      const own = other.fact(name, place, args);
      return own.state === 'unseen' && own.gap === 'not-asked' ? base.fact(name, place, args) : own;
    },
    after: base.after,
    placesOf: base.placesOf,
    nodes: base.nodes,
    with: () => {
      throw new Error('changes of the snapshot come before those of what was shown');
    },
  };
  return snapshot;
}

function isMeant(request: Reply['request'], { action, place, args }: ShownChange): boolean {
  return (
    request.action === action &&
    placeKey(request.place) === placeKey(place) &&
    Object.entries(args ?? {}).every(([name, value]) => request.args[name] === value)
  );
}

/** A tool prints one document a line. */
function editedReply(reply: Reply, change: ShownChange): Reply | undefined {
  if (reply.got !== 'raw') return undefined;
  let isFound = false;
  const lines = new TextDecoder().decode(reply.raw).split('\n');
  const edited = lines.map((line) => {
    if (line.trim() === '') return line;
    const document = JSON.parse(line) as Shown[] | { readonly nftables: Shown[] };
    const list = Array.isArray(document) ? document : document.nftables;
    const made = list.flatMap((one): Shown[] => {
      if (!Object.entries(change.where).every(([path, value]) => valueAt(one, path) === value)) return [one];
      isFound = true;
      return change.set ? [withValues(one, change.set)] : [];
    });
    return JSON.stringify(Array.isArray(document) ? made : { ...document, nftables: made });
  });
  return isFound ? { ...reply, raw: new TextEncoder().encode(edited.join('\n')) } : undefined;
}

function valueAt(one: unknown, path: string): unknown {
  let at = one;
  for (const key of path.split('.')) at = typeof at === 'object' && at !== null ? (at as Shown)[key] : undefined;
  return at;
}

function withValues(one: Shown, set: Readonly<Record<string, unknown>>): Shown {
  let made = one;
  for (const [path, value] of Object.entries(set)) made = withValue(made, path.split('.'), value);
  return made;
}

function withValue(one: Shown, [key, ...rest]: readonly string[], value: unknown): Shown {
  if (rest.length > 0) return { ...one, [key!]: withValue((one[key!] ?? {}) as Shown, rest, value) };
  if (value !== null) return { ...one, [key!]: value };
  const { [key!]: _gone, ...others } = one;
  return others;
}
