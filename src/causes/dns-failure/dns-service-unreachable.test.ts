import { expect, test } from 'vitest';
import type { Flow } from '../../diagnose/derived.ts';
import { buildCase, checkWith, fakeSnapshot, flow, probe } from '../../diagnose/testing/build-case.ts';
import { CLUSTER } from '../../net/place.ts';
import { DNS_IP, dnsService, presentOf } from '../testing/cause-cases.ts';
import { dnsServiceUnreachable } from './dns-service-unreachable.ts';

const lookUp = (destination: string, purpose: 'dns' | 'dns-endpoint', passed: 'yes' | 'no', outcome: string): Flow =>
  flow({
    id: `${purpose}/${destination}`,
    purpose,
    protocol: 'udp',
    destination,
    port: 53,
    probe: probe(passed, outcome),
  });

function check(...flows: readonly Flow[]) {
  return checkWith(
    dnsServiceUnreachable,
    buildCase({ snapshot: fakeSnapshot({ facts: [['api.services', CLUSTER, {}, [dnsService()]]] }), flows }),
  );
}

test('present: the Service is silent, a server answers', () => {
  const finding = check(
    lookUp(DNS_IP, 'dns', 'no', 'timed-out'),
    lookUp('10.244.2.2', 'dns-endpoint', 'yes', 'answered'),
  );
  expect(presentOf(finding).place?.object).toBe('service/kube-system/kube-dns');
  expect(presentOf(finding).evidence.filter((one) => one.plane === 'probe')).toHaveLength(2);
});

test('absent: the Service answers', () => {
  expect(
    check(lookUp(DNS_IP, 'dns', 'yes', 'answered'), lookUp('10.244.2.2', 'dns-endpoint', 'yes', 'answered')).is,
  ).toBe('absent');
});

test('near miss: the servers do not answer either', () => {
  expect(
    check(lookUp(DNS_IP, 'dns', 'no', 'timed-out'), lookUp('10.244.2.2', 'dns-endpoint', 'no', 'timed-out')).is,
  ).toBe('absent');
});

test('near miss: the Service answers NXDOMAIN: it was reached', () => {
  expect(
    check(lookUp(DNS_IP, 'dns', 'yes', 'nxdomain'), lookUp('10.244.2.2', 'dns-endpoint', 'yes', 'answered')).is,
  ).toBe('absent');
});
