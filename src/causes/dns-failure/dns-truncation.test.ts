import { expect, test } from 'vitest';
import type { Flow } from '../../diagnose/derived.ts';
import {
  buildCase,
  checkWith,
  fakeSnapshot,
  flow,
  NAME_END,
  probe,
  question,
} from '../../diagnose/testing/build-case.ts';
import { podPlace } from '../../net/place.ts';
import { DNS_IP, presentOf, statements } from '../testing/cause-cases.ts';
import { dnsTruncation } from './dns-truncation.ts';

const coredns = podPlace('w2', 'kube-system', 'coredns-1');
const UPSTREAM = '10.77.0.1';

const lookUp = (
  purpose: 'dns' | 'dns-tcp' | 'dns-tcp-control' | 'dns-upstream' | 'dns-upstream-tcp',
  destination: string,
  passed: 'yes' | 'no' | 'unknown',
  outcome: string,
  truncated = false,
): Flow =>
  flow({
    ...{ id: `${purpose}/${destination}`, purpose, destination, port: 53 },
    protocol: purpose.includes('tcp') ? 'tcp' : 'udp',
    ...(purpose.startsWith('dns-upstream') && { from: coredns }),
    probe: {
      ...probe(passed, outcome),
      resolved: outcome === 'answered',
      ...(truncated && { truncated: true as const }),
    },
  });

const check = (...flows: readonly Flow[]) =>
  checkWith(dnsTruncation, buildCase({ snapshot: fakeSnapshot({ facts: [] }), flows }));

const cut = lookUp('dns', DNS_IP, 'yes', 'no-data', true);

const deafControl = lookUp('dns-tcp-control', DNS_IP, 'no', 'timed-out');

test('present: cut by UDP, silent by TCP at the pod’s own nameserver', () => {
  const finding = check(cut, lookUp('dns-tcp', DNS_IP, 'no', 'timed-out'), deafControl);
  expect(presentOf(finding).place?.object).toBe(`TCP port 53 of ${DNS_IP}`);
  expect(presentOf(finding).fix.summary).toContain('TCP port 53');
  expect(statements(finding)).not.toBe('');
});

test('present: the server that the cluster’s DNS forwards to answers it by UDP alone, and is the place', () => {
  const upstream = lookUp('dns-upstream', UPSTREAM, 'yes', 'no-data', true);
  const silent = lookUp('dns-upstream-tcp', UPSTREAM, 'no', 'timed-out');
  for (const outcome of ['servfail', 'timed-out']) {
    const failed = lookUp('dns-tcp', DNS_IP, outcome === 'servfail' ? 'yes' : 'no', outcome);
    expect(presentOf(check(cut, failed, upstream, silent)).place).toMatchObject({
      node: 'w2',
      object: `TCP port 53 of ${UPSTREAM}`,
    });
  }
});

test('absent: nothing was cut, or the whole answer came over TCP', () => {
  expect(check(lookUp('dns', DNS_IP, 'yes', 'answered')).is).toBe('absent');
  expect(check(lookUp('dns', DNS_IP, 'yes', 'nxdomain'), lookUp('dns-tcp', DNS_IP, 'no', 'timed-out')).is).toBe(
    'absent',
  );
  expect(check(cut, lookUp('dns-tcp', DNS_IP, 'yes', 'answered')).is).toBe('absent');
});

test('near miss: an upstream that is silent by UDP as well, or a server that fails for a reason that was not seen', () => {
  const failed = lookUp('dns-tcp', DNS_IP, 'yes', 'servfail');
  const deaf = lookUp('dns-upstream', UPSTREAM, 'no', 'timed-out');
  expect(check(cut, failed, deaf, lookUp('dns-upstream-tcp', UPSTREAM, 'no', 'timed-out')).is).toBe('unknown');
  expect(check(cut, failed).is).toBe('unknown');
  // Silent on this name, and not on one of its own: it waits for somebody else.
  const waits = lookUp('dns-tcp', DNS_IP, 'no', 'timed-out');
  expect(check(cut, waits, lookUp('dns-tcp-control', DNS_IP, 'yes', 'answered')).is).toBe('unknown');
  expect(check(cut, waits).is).toBe('unknown');
});

test('unseen: a name that nobody looked up; where none was asked for there is none to be cut', () => {
  const { probe: _, ...untried } = lookUp('dns', DNS_IP, 'yes', 'answered');
  const asked = question({ destination: NAME_END });
  expect(checkWith(dnsTruncation, buildCase({ question: asked, flows: [untried] })).is).toBe('unknown');
  expect(checkWith(dnsTruncation, buildCase({ flows: [] })).is).toBe('absent');
});

test('unseen: TCP was not tried, or its probe proves nothing', () => {
  expect(check(cut).is).toBe('unknown');
  expect(check(cut, lookUp('dns-tcp', DNS_IP, 'unknown', 'failed')).is).toBe('unknown');
});
