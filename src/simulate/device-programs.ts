import type { Link } from '../parse/ip-link.ts';
import { both } from './chances.ts';
import { type Cursor, type Move, unknownEnd, type Walk, type Way } from './cursor.ts';
import { makeStep, sourceOf } from './steps.ts';
import { UNDECIDED } from './truth.ts';

/**
 * An XDP program or a tc filter on the device may do anything with the packet: the walk goes on as if it let it pass,
 * and beside it stands an end that is not known, naming the program.
 */
export function foreignPrograms(
  walk: Walk,
  cursor: Cursor,
  link: Link,
  direction: 'ingress' | 'egress',
  move: Move,
): Move {
  const { snapshot } = walk.world;
  const filters = snapshot.fact('tc-filters', cursor.place);
  const filter =
    filters.state === 'seen'
      ? filters.value.find((one) => one.device === link.name && one.direction === direction)
      : undefined;
  const xdp = direction === 'ingress' ? link.xdp : undefined;
  if (!filter && xdp === undefined) return move;
  const program = xdp ?? `${filter!.kind} ${filter!.name}`.trim();
  const step = makeStep({
    kind: 'filter',
    at: `${direction} ${link.name}`,
    matched: 'unknown',
    source: xdp === undefined ? sourceOf(filters) : sourceOf(snapshot.fact('links', cursor.place)),
    values: { reason: xdp === undefined ? 'tc' : 'xdp', device: link.name, program },
    text: `${xdp === undefined ? 'a tc filter' : 'an XDP program'} on ${link.name} (${program}) may change or drop the packet`,
  });
  const passed = move.ways.map((way): Way => {
    return { ...way, chance: both(way.chance, UNDECIDED), steps: [step, ...way.steps] };
  });
  const stopped: Way = { chance: UNDECIDED, steps: [step], to: unknownEnd(cursor, `${step.text}: not modelled`) };
  return { fork: 'undecided', ways: [...passed, stopped] };
}
