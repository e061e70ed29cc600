import type { Hop, RoundTrip, Step, Trace } from '../simulate/trace.ts';

/** What makes two branches fare alike: `shapeOf(segment)` is equal for both. */
export type BranchShapes = (segment: number) => string;

/**
 * Shapes of the branches of a way there (with its ways back) or of any other trace. Two branches have the same shape if
 * they pass the same kinds of places, rules of the same chains and verdicts, and end alike, the answer too: the backends of a
 * Service that only differ by address, port, device and node.
 */
export function branchShapes(trace: Trace, replies: RoundTrip['replies'] = []): BranchShapes {
  const known = new Map<number, string>();
  const answers = new Map(replies.map((reply) => [reply.leaf, reply.trace]));
  const shapeOf = (index: number): string => {
    const former = known.get(index);
    if (former !== undefined) return former;
    const segment = trace.segments[index];
    if (!segment) return '';
    const { then } = segment;
    const answer = answers.get(index);
    const end =
      'end' in then
        ? [then.end, then.senderSees, answer ? branchShapes(answer)(0) : '']
        : [then.fork, ...then.to.map((way) => shapeOf(way.segment)).toSorted()];
    const shape = JSON.stringify([...segment.hops.map(hopShape), ...end]);
    known.set(index, shape);
    return shape;
  };
  return shapeOf;
}

function hopShape({ place, steps }: Hop): string {
  const matched = steps.filter((step) => step.kind !== 'rule' || step.matched !== 'no');
  return [place.namespace === 'host' ? 'host' : 'pod', ...matched.map(stepShape)].join(' ');
}

function stepShape({ kind, matched, values, changes }: Step): string {
  const { hook, backend, table, chain, target, verdict, policy, act, by, reason, type, purpose } = values;
  const words = [
    hook,
    backend,
    table,
    anonymous(chain),
    anonymous(target),
    verdict,
    policy,
    act,
    by,
    reason,
    type,
    purpose,
  ];
  const fields = changes.map((change) => change.field).join('+');
  return `${kind}:${matched}:${words.filter((word) => word !== undefined).join(',')}:${fields}`;
}

/** A chain of one Service or endpoint by what it is for: its hash, address and port are left out. */
function anonymous(name: Step['values'][string] | undefined): string | undefined {
  if (typeof name !== 'string') return undefined;
  return name.replaceAll(/[A-Z2-7]{8,}|\d+(?:\.\d+){3}|\[?[0-9a-f]*:[0-9a-f:]+\]?|\d+$/g, '*');
}
