import type { Packet } from '../../src/net/packet.ts';
import type { Hop, LeafEnd, Step, Trace } from '../../src/simulate/trace.ts';

/** One way through a trace, from its root to one of its ends. */
export interface Path {
  readonly hops: readonly Hop[];
  readonly leaf: LeafEnd;
  /** The leaf's segment. */
  readonly segment: number;
  readonly isPossible: boolean;
}

const PATHS_MAX = 4000;

/** Every way through a trace; undefined where there are too many to look at. Throws where they do not end. */
export function pathsOf(trace: Trace): readonly Path[] | undefined {
  const paths: Path[] = [];
  const on: number[] = [];
  const walk = (segment: number, before: readonly Hop[], isPossible: boolean): void => {
    if (paths.length > PATHS_MAX) return;
    if (on.includes(segment)) throw new Error(`the trace goes in a circle: segments ${[...on, segment].join(' > ')}`);
    on.push(segment);
    const { hops, then } = trace.segments[segment]!;
    const all = joined(before, hops);
    if ('end' in then) {
      paths.push({ hops: all, leaf: then, segment, isPossible });
    } else {
      for (const to of then.to) walk(to.segment, all, isPossible && to.chance.max > 0);
    }
    on.pop();
  };
  walk(0, [], true);
  return paths.length > PATHS_MAX ? undefined : paths;
}

/** A segment may begin in the middle of a stay: its first hop then goes on with the last one before. */
function joined(before: readonly Hop[], hops: readonly Hop[]): readonly Hop[] {
  const last = before.at(-1);
  const first = hops[0];
  if (!last || !first?.continues) return [...before, ...hops];
  const whole: Hop = {
    ...last,
    ...(first.output === undefined ? {} : { output: first.output }),
    steps: [...last.steps, ...first.steps],
  };
  return [...before.slice(0, -1), whole, ...hops.slice(1)];
}

export function stepsOf(path: Path): readonly Step[] {
  return path.hops.flatMap((hop) => hop.steps);
}

/** What leaves a hop: what enters the next one, or what the walk ended with. */
export function leavingPacket(path: Path, hop: number): Packet {
  return path.hops[hop + 1]?.packet ?? path.leaf.packet;
}
