import { formatPlace } from '../../net/place.ts';
import type { RoundTrip, Trace } from '../trace.ts';

/** A trace in lines, for tests that look at the whole way and for eyes. */
export function describeTrace(trace: Trace): string[] {
  return trace.segments.flatMap((segment, index) => {
    const { then } = segment;
    const hops = segment.hops.flatMap((hop) => [
      `#${index} ${formatPlace(hop.place)} ${hop.input ?? 'socket'} -> ${hop.output ?? '.'}`,
      ...hop.steps.map((step) => `    ${step.at}: ${step.text}`),
    ]);
    const end =
      'end' in then
        ? `  = ${then.end} (${then.senderSees}) ${then.because ?? ''} wants ${then.wants.length}`
        : `  ? ${then.fork} ${then.to.map((to) => `${to.segment}:${to.chance.min}-${to.chance.max}`).join(' ')}`;
    return [...hops, end];
  });
}

export function describeTrip(trip: RoundTrip): string[] {
  return [
    ...describeTrace(trip.forward),
    ...trip.replies.flatMap((reply) => [`--- reply of #${reply.leaf}`, ...describeTrace(reply.trace)]),
  ];
}
