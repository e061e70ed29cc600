import { expect, test } from 'vitest';
import type { RuleVerdict } from '../capture/rule-verdicts.ts';
import { hostOf } from '../net/place.ts';
import type { Flow } from './derived.ts';
import { disagreementsOf } from './disagreements.ts';
import { buildCase, evidence, flow, leafTrace, probe } from './testing/build-case.ts';
import { tracedInSpite, traceEvidenceFor } from './traced-rules.ts';

const dying: Flow = { ...flow({ forward: leafTrace('dropped-by-rule') }), probe: probe('no', 'timed-out') };
const DEAD = dying.dead[0]!;
const { node, namespace } = DEAD.end.place;

const traced = (more: Partial<RuleVerdict> = {}): Flow => ({
  ...dying,
  rules: [
    {
      place: { node, namespace },
      base: 'ip filter FORWARD',
      chain: 'FORWARD',
      by: 'tcp dport 80 drop',
      verdict: 'drop',
      leg: 'there',
      packets: 2,
      request: { action: 'rules.trace.stop', place: hostOf(node), args: {}, round: 0 },
      ...more,
    },
  ],
});
const evidenceOf = (one: Flow) =>
  traceEvidenceFor(
    { is: 'present', claims: [DEAD.ref], evidence: [evidence({})], fix: { summary: 'mend it', commands: [] } },
    buildCase({ flows: [one] }),
  );

test('a traced drop where the walk ends by a rule stands beside the cause', () => {
  expect(evidenceOf(traced()).map(({ plane, statement }) => [plane, statement])).toEqual([
    ['kernel', expect.stringContaining('ip filter FORWARD: 2 packets on the way there dropped by “tcp dport 80 drop”')],
  ]);
  expect(evidenceOf(traced({ verdict: 'accept' }))).toEqual([]);
  expect(evidenceOf(traced({ leg: 'back' }))).toEqual([]);
  expect(evidenceOf(traced({ place: hostOf('w9') }))).toEqual([]);
});

test('a traced drop elsewhere is a contradiction, unless the walk could not tell', () => {
  const elsewhere = traced({ place: hostOf('w9') });
  expect(disagreementsOf([elsewhere], true)).toEqual([expect.stringContaining('yet w9, ip filter FORWARD')]);
  expect(tracedInSpite({ ...elsewhere, unknown: dying.leaves })).toEqual([]);
  expect(disagreementsOf([traced()], true)).toEqual([]);
});
