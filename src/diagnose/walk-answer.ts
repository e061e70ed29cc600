import type { Flow } from './derived.ts';
import type { Leaf } from './leaves.ts';

export interface WalkAnswer {
  readonly passed: 'yes' | 'no' | 'unknown';
  readonly because: string;
}

/**
 * What the walk alone says of a flow: yes or no only where every way agrees, there and back. Ways that were not walked,
 * or an end that could not be told, leave it unknown; so does a choice of which some ways die and others do not.
 */
export function walkAnswer(flow: Flow): WalkAnswer {
  const lacking = notWalked(flow);
  if (lacking) return { passed: 'unknown', because: `by the walk: ${lacking}` };
  if (flow.unknown.length > 0)
    return { passed: 'unknown', because: `by the walk: ${flow.unknown[0]!.end.because ?? 'could not tell'}` };
  const [first] = flow.dead;
  if (!first) return { passed: 'yes', because: 'by the walk: delivered there and back' };
  const because = `${first.end.end} at ${first.end.place.node || 'the network'}`;
  if (!passingWay(flow)) return { passed: 'no', because: `by the walk: ${because}` };
  return { passed: 'unknown', because: `by the walk: some ways are delivered, others end in ${because}` };
}

function notWalked({ trip, leaves }: Flow): string | undefined {
  if (leaves.length === 0) return 'nothing was walked';
  const unwalked = [trip.forward, ...trip.replies.map((reply) => reply.trace)].reduce((n, leg) => n + leg.unwalked, 0);
  if (unwalked > 0) return `${unwalked} of its ways were left out`;
  const answered = new Set(trip.replies.map((reply) => reply.leaf));
  const unanswered = leaves.some(
    (leaf) => leaf.ref.leg === 'forward' && leaf.end.end === 'delivered' && !answered.has(leaf.ref.segment),
  );
  return unanswered ? 'the way back was not walked' : undefined;
}

/** Whether some way there lives, and a way back of it as well. */
function passingWay({ leaves, dead }: Flow): boolean {
  const isDead = (leaf: Leaf): boolean => dead.includes(leaf);
  return leaves.some((there) => {
    if (there.ref.leg !== 'forward' || isDead(there)) return false;
    const back = leaves.filter((leaf) => leaf.ref.leg === `reply-${there.ref.segment}`);
    return back.length === 0 || back.some((leaf) => !isDead(leaf));
  });
}
