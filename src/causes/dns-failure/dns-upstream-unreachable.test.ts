import { expect, test } from 'vitest';
import type { Flow } from '../../diagnose/derived.ts';
import { buildCase, checkWith, fakeSnapshot, flow, probe } from '../../diagnose/testing/build-case.ts';
import { CLUSTER, podPlace } from '../../net/place.ts';
import { DNS_IP, dnsService, presentOf, statements } from '../testing/cause-cases.ts';
import { dnsUpstreamUnreachable } from './dns-upstream-unreachable.ts';

const coredns = podPlace('w2', 'kube-system', 'coredns-1');
const lookUp = (
  purpose: 'dns' | 'dns-control' | 'dns-upstream',
  destination: string,
  passed: 'yes' | 'no' | 'unknown',
  outcome: string,
): Flow =>
  flow({
    id: `${purpose}/${destination}`,
    purpose,
    protocol: 'udp',
    destination,
    port: 53,
    ...(purpose === 'dns-upstream' && { from: coredns }),
    probe: { ...probe(passed, outcome), resolved: outcome === 'answered' },
  });

const failing = lookUp('dns', DNS_IP, 'yes', 'servfail');
const control = lookUp('dns-control', DNS_IP, 'yes', 'answered');
const silent = lookUp('dns-upstream', '10.77.0.1', 'no', 'timed-out');

function check(...flows: readonly Flow[]) {
  const snapshot = fakeSnapshot({
    facts: [
      ['api.services', CLUSTER, {}, [dnsService()]],
      [
        'api.log',
        CLUSTER,
        { namespace: 'kube-system', pod: 'coredns-1', container: '' },
        '[ERROR] plugin/errors: 2 a.test. A: read udp 10.244.2.2:40000->10.77.0.1:53: i/o timeout\n',
      ],
    ],
  });
  return checkWith(dnsUpstreamUnreachable, buildCase({ snapshot, flows }));
}

test('present: cluster names resolve, the upstream is silent from CoreDNS’s own namespace', () => {
  const finding = check(failing, control, silent);
  expect(presentOf(finding).place).toMatchObject({
    node: 'w2',
    namespace: 'pod/kube-system/coredns-1',
    object: 'upstream 10.77.0.1',
  });
  expect(statements(finding)).toContain('i/o timeout');
});

test('absent: the name resolves', () => {
  expect(check(lookUp('dns', DNS_IP, 'yes', 'answered'), control).is).toBe('absent');
});

test('near miss: cluster names fail as well', () => {
  expect(check(failing, lookUp('dns-control', DNS_IP, 'yes', 'servfail'), silent).is).toBe('absent');
});

test('near miss: the upstream answers', () => {
  expect(check(failing, control, lookUp('dns-upstream', '10.77.0.1', 'yes', 'servfail')).is).toBe('absent');
});

test('unknown: the upstream could not be asked', () => {
  expect(check(failing, control).is).toBe('unknown');
});

test('unknown: of two upstreams of one server only one is silent, and the other would have been asked', () => {
  expect(check(failing, control, silent, lookUp('dns-upstream', '10.77.0.2', 'yes', 'answered')).is).toBe('unknown');
});

test('unknown: the probe of the upstream failed by itself', () => {
  expect(check(failing, control, lookUp('dns-upstream', '10.77.0.1', 'unknown', 'failed')).is).toBe('unknown');
});
