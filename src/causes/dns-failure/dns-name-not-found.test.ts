import { expect, test } from 'vitest';
import { buildCase, checkWith, fakeSnapshot, flow, probe, question } from '../../diagnose/testing/build-case.ts';
import { CLUSTER } from '../../net/place.ts';
import { DNS_IP, dnsService, presentOf, service, statements } from '../testing/cause-cases.ts';
import { dnsNameNotFound } from './dns-name-not-found.ts';

function check(host: string, outcome: string, server = DNS_IP) {
  const snapshot = fakeSnapshot({ facts: [['api.services', CLUSTER, {}, [dnsService(), service()]]] });
  const asked = flow({
    id: `dns/${server}`,
    purpose: 'dns',
    protocol: 'udp',
    destination: server,
    port: 53,
    probe: { ...probe('yes', outcome), resolved: outcome === 'answered' },
  });
  return checkWith(
    dnsNameNotFound,
    buildCase({ snapshot, question: question({ destination: { kind: 'name', host } }), flows: [asked] }),
  );
}

test('present: misspelt; the near Service is named', () => {
  const finding = check('apii.shop.svc.cluster.local', 'nxdomain');
  expect(statements(finding)).toContain('near names that exist: api.shop');
  expect(presentOf(finding).place?.object).toBe('apii.shop.svc.cluster.local');
});

test('present: right name, other namespace', () => {
  expect(presentOf(check('api', 'nxdomain')).fix.summary).toBe('ask for api.shop');
});

test('absent: it resolves', () => {
  expect(check('api.shop', 'answered').is).toBe('absent');
});

test('near miss: a nameserver that is not the cluster’s denies it', () => {
  expect(check('api.shop', 'nxdomain', '10.77.0.1').is).toBe('absent');
});

test('near miss: SERVFAIL is no denial', () => {
  expect(check('api.shop', 'servfail').is).toBe('absent');
});

test('near miss: the API has a Service of that name, so the DNS server is wrong and not the name', () => {
  expect(check('api.shop', 'nxdomain')).toMatchObject({ is: 'unknown' });
});
