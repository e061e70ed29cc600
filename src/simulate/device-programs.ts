import type { Link } from '../parse/ip-link.ts';
import type { Qdisc } from '../parse/qdisc.ts';
import { isComplete, type Source } from '../snapshot/snapshot.ts';
import { both } from './chances.ts';
import { type Cursor, type Move, unknownEnd, type Walk, type Way } from './cursor.ts';
import { makeStep, sourceOf } from './steps.ts';
import { UNDECIDED } from './truth.ts';

type Direction = 'ingress' | 'egress';

/**
 * An XDP program or a tc filter on the device may do anything with the packet: the walk goes on as if it let it pass,
 * and beside it stands an end that is not known, naming the program.
 */
export function foreignPrograms(walk: Walk, cursor: Cursor, link: Link, direction: Direction, move: Move): Move {
  const program = programAt(walk, cursor, link, direction);
  if (!program) return move;
  const drops = dropsAt(walk, cursor, link, direction);
  const counted =
    drops === undefined || drops === 0 ? '' : `; the ${direction} hook of ${link.name} has dropped ${drops}`;
  const step = makeStep({
    kind: 'filter',
    at: `${direction} ${link.name}`,
    matched: 'unknown',
    source: program.source,
    values: { reason: program.reason, device: link.name, program: program.name, drops },
    text: `${program.what} on ${link.name} (${program.name}) may change or drop the packet${counted}`,
  });
  const passed = move.ways.map((way): Way => {
    return { ...way, chance: both(way.chance, UNDECIDED), steps: [step, ...way.steps] };
  });
  const stopped: Way = { chance: UNDECIDED, steps: [step], to: unknownEnd(cursor, `${step.text}: not modelled`) };
  return { fork: 'undecided', ways: [...passed, stopped] };
}

interface Program {
  readonly reason: 'tc' | 'xdp';
  readonly what: string;
  readonly name: string;
  readonly source: Source;
}

function programAt(walk: Walk, cursor: Cursor, link: Link, direction: Direction): Program | undefined {
  const { snapshot } = walk.world;
  if (direction === 'ingress' && link.xdp !== undefined) {
    const source = sourceOf(snapshot.fact('links', cursor.place));
    return { reason: 'xdp', what: 'an XDP program', name: link.xdp, source };
  }
  const filters = snapshot.fact('tc-filters', cursor.place);
  const filter =
    filters.state === 'seen'
      ? filters.value.find((one) => one.device === link.name && one.direction === direction)
      : undefined;
  if (filter) {
    return {
      reason: 'tc',
      what: 'a tc filter',
      name: `${filter.kind} ${filter.name}`.trim(),
      source: sourceOf(filters),
    };
  }
  return isComplete(filters) ? undefined : unlisted(walk, cursor, link, direction);
}

/** A hook is there, and what hangs on it could not be listed; or tc could tell neither (it is not installed). */
function unlisted(walk: Walk, cursor: Cursor, link: Link, direction: Direction): Program | undefined {
  const { snapshot } = walk.world;
  const qdiscs = snapshot.fact('qdiscs', cursor.place);
  const hook = hookOf(walk, cursor, link, direction);
  if (!hook && isComplete(qdiscs)) return undefined;
  const name = hook ? `${hook.kind}, not listed` : 'tc told nothing';
  return { reason: 'tc', what: 'a tc filter that may be', name, source: sourceOf(qdiscs) };
}

/** The discipline that filters of this direction hang on (tc-bpf(8)). */
function hookOf(walk: Walk, cursor: Cursor, link: Link, direction: Direction): Qdisc | undefined {
  const qdiscs = walk.world.snapshot.fact('qdiscs', cursor.place);
  const own = qdiscs.state === 'seen' ? qdiscs.value.filter(({ device }) => device === link.name) : [];
  return own.find(({ kind }) => kind === 'clsact' || (kind === 'ingress' && direction === 'ingress'));
}

/** What tc has counted there; undefined where it was not asked. */
function dropsAt(walk: Walk, cursor: Cursor, link: Link, direction: Direction): number | undefined {
  return hookOf(walk, cursor, link, direction)?.drops;
}
