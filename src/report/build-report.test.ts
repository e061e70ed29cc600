import { describe, expect, test } from 'vitest';
import { diagnose } from '../diagnose/engine.ts';
import { symptomOf } from '../diagnose/symptom.ts';
import { buildCase, flow, leafTrace, NAME_END, probe, question, step } from '../diagnose/testing/build-case.ts';
import { verdictOf } from '../diagnose/verdict.ts';
import { hostOf, podPlace } from '../net/place.ts';
import { buildReport, describeSource } from './build-report.ts';
import { renderJson } from './json.ts';
import { faultReport, healthyReport } from './testing/sample-reports.ts';

function reportOf(given: Parameters<typeof buildCase>[0]) {
  const whole = buildCase(given);
  const diagnosis = diagnose(whole, [], () => whole.flows);
  const symptom = symptomOf(whole);
  const verdict = verdictOf(whole, diagnosis, symptom);
  return buildReport({ given: whole, diagnosis, symptom, verdict, notes: [], created: [], timings: {}, durationMs: 1 });
}

describe('buildReport', () => {
  test('the user’s own words, the flow that they became, and every note', () => {
    expect(faultReport().target).toEqual({
      source: 'deploy/demo/client',
      destination: 'svc/demo/web:80',
      flow: 'tcp 10.244.1.5 → 10.96.12.34:80',
      notes: ['deploy/demo/client: pod/demo/client-7f5c9d-x2x8k was taken'],
    });
  });

  test('a flow that could not be planned is told in the question’s words', () => {
    const about = question({ destination: NAME_END, asked: { source: 'pod/demo/client', destination: 'web.demo:80' } });
    expect(reportOf({ flows: [], question: about }).target.flow).toBe('tcp to web.demo:80');
  });

  test('a source outside the cluster has no place of its own', () => {
    const from = flow({ from: null, source: undefined });
    const outside = { ...from, source: undefined };
    expect(reportOf({ flows: [outside] }).paths[0]!.description).toBe('tcp outside → 10.244.2.7:8080');
  });

  test('a cause with its place, its evidence with the very line, its counterfactual and its consequences', () => {
    const [cause] = faultReport().causes;
    expect(cause).toMatchObject({
      id: 'ip-forward-disabled',
      class: 'network-unreachable',
      confidence: 'proven',
      gravity: 'fault',
      place: { node: 'w1', namespace: 'host', object: 'net.ipv4.ip_forward' },
      counterfactual: { change: 'net.ipv4.ip_forward = 1 (w1)', disposition: 'delivered' },
      explains: [{ id: 'dns-service-unreachable', class: 'dns-failure' }],
    });
    expect(cause!.evidence[0]).toMatchObject({ source: 'sysctls of w1', line: 212, text: 'net.ipv4.ip_forward = 0' });
    expect(cause!.behind).toBeUndefined();
  });

  test('an unexplained end with its place, its step and its chance', () => {
    const forward = leafTrace('dropped-by-rule', { steps: [step({ kind: 'rule', at: 'FORWARD#3', text: 'drop' })] });
    expect(reportOf({ flows: [flow({ forward })] }).unexplained).toEqual([
      {
        disposition: 'dropped-by-rule',
        flow: 'main',
        place: { node: 'w1', namespace: 'host' },
        at: 'FORWARD#3',
        text: 'drop',
        chance: { min: 1, max: 1 },
      },
    ]);
  });

  test('a probe with where it was made, where to, and how long it took', () => {
    expect(healthyReport().probes[0]).toEqual({
      id: 'main',
      from: { node: 'w1', namespace: 'pod/demo/client' },
      to: '10.244.2.7:8080',
      outcome: 'connected',
      latencyMs: 0.8,
      statement: 'connect to 10.244.2.7:8080: connected in 0.8 ms',
    });
    expect(reportOf({ flows: [flow({ probe: probe('no', 'refused') })] }).probes[0]).not.toHaveProperty('latencyMs');
  });
});

describe('describeSource', () => {
  const of = (args: Record<string, string | number | null>, place = hostOf('w1')): string =>
    describeSource({ request: { action: 'iptables.nft', place, args, round: 1 } });

  test.each([
    [of({}), 'iptables.nft of w1'],
    [of({ family: 4, table: '' }), 'iptables.nft (family 4) of w1'],
    [of({ family: 6, table: 'nat' }), 'iptables.nft (family 6, table nat) of w1'],
    [of({ uid: null }, podPlace('w2', 'demo', 'web')), 'iptables.nft of pod/demo/web on w2'],
    [of({}, hostOf('')), 'iptables.nft'],
  ])('%s', (text, expected) => {
    expect(text).toBe(expected);
  });
});

test('JSON is the report, to the last field, and ends with a line break', () => {
  const text = renderJson(faultReport());
  expect(JSON.parse(text)).toEqual(faultReport());
  expect(text.endsWith('}\n')).toBe(true);
});

test('JSON holds no character that a terminal acts on, and loses none', () => {
  const hostile = { ...faultReport(), summary: 'a\u001b[2Jb\u009b31mc\u202egnirts\u2028\u007f' };
  const text = renderJson(hostile);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are the ones to find
  expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/);
  expect(JSON.parse(text)).toEqual(hostile);
});
