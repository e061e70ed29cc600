import { expect, test } from 'vitest';
import type { Flow } from '../../diagnose/derived.ts';
import {
  buildCase,
  CLIENT_PLACE,
  checkWith,
  fakeSnapshot,
  flow,
  NAME_END,
  probe,
  question,
  SERVICE_END,
} from '../../diagnose/testing/build-case.ts';
import { CLUSTER } from '../../net/place.ts';
import type { Endpoint } from '../../target/question.ts';
import { DNS_IP, dnsService, pod, presentOf, statements } from '../testing/cause-cases.ts';
import { dnsWrongNameserver } from './dns-wrong-nameserver.ts';

const lookUp = (destination: string, outcome: string): Flow =>
  flow({
    id: `dns/${destination}`,
    purpose: 'dns',
    protocol: 'udp',
    destination,
    port: 53,
    probe: { ...probe('yes', outcome), resolved: outcome === 'answered' },
  });

function check(nameserver: string, outcome: string, spec = {}, destination: Endpoint = NAME_END) {
  const snapshot = fakeSnapshot({
    facts: [
      ['api.services', CLUSTER, {}, [dnsService()]],
      ['api.pods', CLUSTER, {}, [pod('client', { namespace: 'demo', node: 'w1', spec })]],
      ['resolv-conf', CLIENT_PLACE, {}, { nameservers: [nameserver], search: [], options: {} }],
    ],
  });
  return checkWith(
    dnsWrongNameserver,
    buildCase({ snapshot, question: question({ destination }), flows: [lookUp(nameserver, outcome)] }),
  );
}

test('present: dnsPolicy Default asks the node’s resolver, which denies cluster names', () => {
  const finding = check('10.77.0.1', 'nxdomain', { dnsPolicy: 'Default' });
  expect(statements(finding)).toContain(`asks 10.77.0.1; the cluster’s DNS is ${DNS_IP}`);
  expect(statements(finding)).toContain('its dnsPolicy is Default');
  expect(presentOf(finding).fix.summary).toContain('dnsPolicy: ClusterFirst');
});

test('present: hostNetwork without ClusterFirstWithHostNet', () => {
  expect(
    presentOf(check('10.77.0.1', 'nxdomain', { dnsPolicy: 'ClusterFirst', hostNetwork: true })).fix.summary,
  ).toContain('ClusterFirstWithHostNet');
});

test('absent: the name resolves there', () => {
  expect(check('10.77.0.1', 'answered', { dnsPolicy: 'Default' }).is).toBe('absent');
});

test('near miss: the cluster’s DNS denies the name', () => {
  expect(check(DNS_IP, 'nxdomain').is).toBe('absent');
});

test('near miss: NodeLocal DNSCache’s address is the cluster’s DNS', () => {
  expect(check('169.254.20.10', 'nxdomain').is).toBe('absent');
});

test('near miss: a name that is not the cluster’s; the cluster’s DNS need not know it either', () => {
  const outside = { kind: 'name', host: 'www.example.com' } as const;
  expect(check('10.77.0.1', 'nxdomain', { dnsPolicy: 'Default' }, outside).is).toBe('absent');
});

test('near miss: a Service was asked for by its address, which needs no nameserver', () => {
  expect(check('10.77.0.1', 'nxdomain', { dnsPolicy: 'Default' }, SERVICE_END).is).toBe('absent');
});
