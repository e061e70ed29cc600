import { describe, expect, test } from 'vitest';
import type { Flow } from './derived.ts';
import { symptomOf } from './symptom.ts';
import { buildCase, flow, leafTrace, NAME_END, probe, question, SERVICE_END } from './testing/build-case.ts';

const main = (passed: 'yes' | 'no' | 'unknown', outcome: string): Flow => flow({ probe: probe(passed, outcome) });
const ping = (passed: 'yes' | 'no' | 'unknown'): Flow =>
  flow({ id: 'icmp', probe: probe(passed, passed === 'yes' ? 'answered' : 'silent', `ping: ${passed}`) });
const endpoint = (ip: string, passed: 'yes' | 'no' | 'unknown'): Flow =>
  flow({ id: `endpoint/${ip}`, destination: ip, probe: probe(passed, passed === 'yes' ? 'connected' : 'timed-out') });
const lookUp = (server: string, passed: 'yes' | 'no' | 'unknown', purpose: 'dns' | 'dns-endpoint' = 'dns'): Flow =>
  flow({
    id: `${purpose}/${server}`,
    purpose,
    destination: server,
    protocol: 'udp',
    port: 53,
    probe: probe(passed, passed === 'yes' ? 'answered' : 'timed-out', `look-up at ${server}: ${passed}`),
  });
const large = (passed: 'yes' | 'no'): Flow =>
  flow({ id: 'large', probe: probe(passed, passed, `1450 bytes: ${passed}`) });

const asked = question();
const byName = question({ destination: NAME_END });
const toService = question({ destination: SERVICE_END });

function symptom(flows: readonly Flow[], about = asked) {
  const result = symptomOf(buildCase({ flows, question: about }));
  return { class: result.class, way: result.steps.map((step) => `${step.step} ${step.answer}`) };
}

describe('the port', () => {
  test('open: no symptom', () => {
    expect(symptom([main('yes', 'connected'), ping('yes')])).toEqual({
      class: null,
      way: ['ping yes', 'port-open yes'],
    });
  });

  test('open while ping fails: ping explains, it does not decide', () => {
    expect(symptom([main('yes', 'connected'), ping('no')]).class).toBeNull();
  });

  test('open, large packets too', () => {
    expect(symptom([main('yes', 'connected'), large('yes')])).toEqual({
      class: null,
      way: ['port-open yes', 'sizes yes'],
    });
  });

  test('open for small packets alone', () => {
    expect(symptom([main('yes', 'connected'), ping('yes'), large('no')])).toEqual({
      class: 'large-packet-loss',
      way: ['ping yes', 'port-open yes', 'sizes no'],
    });
  });

  test('an answer that proves nothing is no symptom and no all-clear', () => {
    expect(symptom([main('unknown', 'connected'), ping('no')])).toEqual({
      class: null,
      way: ['ping no', 'port-open unknown'],
    });
  });

  test.each(['refused', 'reset'])('%s: somebody answered', (outcome) => {
    expect(symptom([main('no', outcome), ping('no')]).class).toBe('port-unreachable');
  });

  test('silent while ping gets through', () => {
    expect(symptom([main('no', 'timed-out'), ping('yes')]).class).toBe('port-unreachable');
  });

  test('silent as ping is', () => {
    expect(symptom([main('no', 'timed-out'), ping('no')])).toEqual({
      class: 'network-unreachable',
      way: ['ping no', 'port-open no'],
    });
  });
});

describe('a Service', () => {
  test('one endpoint answers past it', () => {
    const flows = [main('no', 'timed-out'), endpoint('10.244.2.7', 'no'), endpoint('10.244.1.9', 'yes')];
    expect(symptom(flows, toService)).toEqual({
      class: 'port-unreachable',
      way: ['port-open no', 'endpoint-direct no', 'endpoint-direct yes'],
    });
  });

  test('no endpoint answers either', () => {
    const flows = [main('no', 'timed-out'), ping('no'), endpoint('10.244.2.7', 'no')];
    expect(symptom(flows, toService).class).toBe('network-unreachable');
  });

  test('without endpoints: its ping decides nothing', () => {
    expect(symptom([main('no', 'timed-out'), ping('no')], toService).class).toBe('port-unreachable');
  });
});

describe('a name', () => {
  test('resolved nowhere: the DNS servers themselves are asked', () => {
    const flows = [lookUp('10.96.0.10', 'no'), lookUp('10.244.0.3', 'yes', 'dns-endpoint'), main('yes', 'connected')];
    expect(symptom(flows, byName)).toEqual({
      class: 'dns-failure',
      way: ['resolve-name no', 'dns-server-direct yes'],
    });
  });

  test('resolved at one of two nameservers: on to the port', () => {
    const flows = [lookUp('10.96.0.10', 'no'), lookUp('169.254.20.10', 'yes'), main('no', 'refused')];
    expect(symptom(flows, byName)).toEqual({
      class: 'port-unreachable',
      way: ['resolve-name no', 'resolve-name yes', 'port-open no'],
    });
  });

  test('not known whether it resolves is not "it does not"', () => {
    expect(symptom([lookUp('10.96.0.10', 'unknown')], byName)).toEqual({ class: null, way: ['resolve-name unknown'] });
  });

  test('resolved without a query (hosts file): on to the port', () => {
    expect(symptom([main('yes', 'connected')], byName)).toEqual({ class: null, way: ['port-open yes'] });
  });

  test('nothing to try', () => {
    expect(symptom([], byName)).toEqual({ class: null, way: [] });
  });
});

describe('ping alone was asked for', () => {
  const pingOnly = question({ protocol: 'icmp' });
  const icmpMain = (passed: 'yes' | 'no' | 'unknown'): Flow =>
    flow({ protocol: 'icmp', probe: probe(passed, passed, `ping: ${passed}`) });

  test.each([
    ['yes', null],
    ['no', 'network-unreachable'],
    ['unknown', null],
  ] as const)('%s → %s', (passed, expected) => {
    expect(symptom([icmpMain(passed)], pingOnly)).toEqual({ class: expected, way: [`ping ${passed}`] });
  });

  test('and large ones do not get through', () => {
    expect(symptom([icmpMain('yes'), large('no')], pingOnly).class).toBe('large-packet-loss');
  });
});

describe('without probes the walk answers, and says so', () => {
  test('delivered', () => {
    const { steps } = symptomOf(buildCase());
    expect(steps).toEqual([
      {
        step: 'port-open',
        question: 'does tcp/8080 of 10.244.2.7 answer?',
        answer: 'yes',
        because: 'by the walk: delivered there and back',
      },
    ]);
  });

  test('lost, ping as well', () => {
    const dead = leafTrace('forwarding-disabled');
    const flows = [flow({ forward: dead }), flow({ id: 'icmp', forward: dead })];
    expect(symptom(flows).class).toBe('network-unreachable');
  });

  test('refused by a reset, though ping was not walked', () => {
    const refused = flow({ forward: leafTrace('no-listener', { senderSees: 'reset' }) });
    expect(symptom([refused]).class).toBe('port-unreachable');
  });

  test('could not tell', () => {
    const flows = [flow({ forward: leafTrace('insufficient-information', { because: 'links of w1: timed-out' }) })];
    expect(symptomOf(buildCase({ flows })).steps.at(-1)).toMatchObject({
      answer: 'unknown',
      because: 'by the walk: links of w1: timed-out',
    });
    expect(symptom(flows).class).toBeNull();
  });

  test('a probe outweighs the walk', () => {
    const flows = [flow({ forward: leafTrace('no-route'), probe: probe('yes', 'connected') })];
    expect(symptom(flows).class).toBeNull();
  });
});
