import type { Finding } from '../../diagnose/cause.ts';
import type { Flow } from '../../diagnose/derived.ts';
import { isAside } from '../../diagnose/is-aside.ts';

/**
 * No dead end speaks for the cause. That is a *no* only where every walk came to its ends: what could not be walked on
 * may die of this cause further on. Where the probe got through, nothing does.
 */
export function absentFromWalks(flows: readonly Flow[], because: string): Finding {
  if (flows.length === 0) return { is: 'unknown', because: 'nothing was walked' };
  const doubts = flows
    .filter((flow) => !isAside(flow) && flow.probe?.passed !== 'yes')
    .flatMap((flow) => doubtOf(flow) ?? []);
  const [first] = doubts;
  if (!first) return { is: 'absent', because };
  const wants = doubts.flatMap((doubt) => doubt.wants);
  return { is: 'unknown', because: first.because, ...(wants.length > 0 && { wants }) };
}

function doubtOf(flow: Flow) {
  const end = flow.unknown.find((leaf) => leaf.chance.max > 0)?.end;
  if (end) {
    const where = end.place.node ? ` at ${end.place.node}` : '';
    return { because: `${flow.id}: the walk could not go on${where}: ${end.because ?? end.end}`, wants: end.wants };
  }
  const unwalked = [flow.trip.forward, ...flow.trip.replies.map((reply) => reply.trace)].some(
    (trace) => trace.unwalked > 0,
  );
  return unwalked ? { because: `${flow.id}: some of its ways were left out`, wants: [] } : undefined;
}
