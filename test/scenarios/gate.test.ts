import { describe, expect, test } from 'vitest';
import { datapathGate } from '../../src/cni/gate.ts';
import type { Place } from '../../src/net/place.ts';
import { unmodelledAt } from '../../src/simulate/datapath.ts';
import { createSnapshot } from '../../src/snapshot/create-snapshot.ts';
import type { FactName } from '../../src/snapshot/facts.ts';
import { plannedFlows } from '../../src/target/flows.ts';
import { isTargetProblem } from '../../src/target/question.ts';
import { resolveQuestion } from '../../src/target/resolve-question.ts';
import { constructedScenarios, loadScenario } from './load-scenario.ts';

/** Files that these systems really do not have; their replies say so and parse as such. */
const PROBES = /^probe\./;

test('every constructed case is here', () => {
  expect(constructedScenarios()).toEqual([
    'constructed-aws-vpc-cni',
    'constructed-cilium-kube-proxy-free',
    'constructed-gvisor',
    'constructed-istio-sidecar',
    'constructed-k3s',
  ]);
});

describe.each(constructedScenarios())('%s', (id) => {
  const { replies, expect: wanted, story } = loadScenario(id);
  const snapshot = createSnapshot(replies);
  const gate = datapathGate(snapshot);
  const at = (place: { readonly node: string; readonly namespace: string }) =>
    unmodelledAt(gate, place as Place & { namespace: Place['namespace'] });

  test('the story tells where it comes from', () => expect(story).toMatch(/^# .+\n[\s\S]+## Where it comes from\n/));

  test('every recorded reply can still be read whole', () => {
    const bad = replies.flatMap((reply) => {
      const { action, place, args } = reply.request;
      const fact = snapshot.fact(action as FactName, place, args);
      if (reply.got === 'nothing') return [];
      return fact.state === 'seen' && fact.unparsed.length === 0 ? [] : [`${action} ${place.namespace} ${place.node}`];
    });
    expect(bad).toEqual([]);
  });

  test('the gate says who does what', () => {
    for (const part of wanted.gate) expect(gate.parts).toContainEqual(expect.objectContaining(part));
    expect(gate.podAddressesRoutable).toBe(wanted.podAddressesRoutable);
    for (const part of gate.parts) expect(part.statement).not.toBe('');
  });

  test('what is not modelled is said where it is, and nowhere else', () => {
    for (const { by, ...place } of wanted.unmodelled) expect(at(place)).toMatchObject({ by });
    for (const place of wanted.walked) expect(at(place)).toBeUndefined();
  });

  test('the question resolves, and its first packet is known and was probed', () => {
    const question = resolveQuestion(snapshot, wanted.question);
    if (isTargetProblem(question)) throw new Error(question.problem);
    const main = plannedFlows(snapshot, question).find((flow) => flow.id === 'main');
    expect(main?.protocol).toBe('tcp');
    expect(replies.some((reply) => PROBES.test(reply.request.action))).toBe(true);
  });
});
