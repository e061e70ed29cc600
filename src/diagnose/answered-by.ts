import type { FlowProbe } from './derived.ts';

/** What a probe says of its question. A server that denies a name, or fails on it, was reached; the name did not resolve all the same. */
export function answeredBy(probe: FlowProbe): FlowProbe['passed'] {
  return probe.passed === 'yes' && probe.resolved === false ? 'no' : probe.passed;
}
