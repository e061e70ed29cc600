import { expect, test } from 'vitest';
import { parseCorefile } from '../parse/corefile.ts';
import { forwardTargets } from './forward-targets.ts';

const COREFILE = parseCorefile(`corp.test:53 {
    forward . 10.9.0.1:5353 dns://10.9.0.2 tls://10.9.0.3 [fd00::9]:53
}
.:53 {
    kubernetes cluster.local in-addr.arpa ip6.arpa {
      pods insecure
      fallthrough in-addr.arpa ip6.arpa
    }
    forward . /etc/resolv.conf {
      max_concurrent 1000
    }
}
`).value;

test('the longest zone decides; a port is kept, TLS is not asked in the clear', () => {
  expect(forwardTargets(COREFILE, 'api.corp.test.')).toEqual([
    { kind: 'server', address: '10.9.0.1', port: 5353 },
    { kind: 'server', address: '10.9.0.2', port: 53 },
    { kind: 'other', text: 'tls://10.9.0.3' },
    { kind: 'server', address: 'fd00::9', port: 53 },
  ]);
  expect(forwardTargets(COREFILE, 'Other.test')).toEqual([{ kind: 'file' }]);
});

test('a name of the cluster is not asked on; a reverse one that falls through is', () => {
  expect(forwardTargets(COREFILE, 'web.demo.svc.cluster.local.')).toEqual([]);
  expect(forwardTargets(COREFILE, 'notcluster.local.')).toEqual([{ kind: 'file' }]);
  expect(forwardTargets(COREFILE, '1.0.0.10.in-addr.arpa.')).toEqual([{ kind: 'file' }]);
});

test('a Corefile without a block for the name sends it nowhere', () => {
  expect(forwardTargets({ servers: [] }, 'api.corp.test.')).toEqual([]);
  expect(forwardTargets(parseCorefile('corp.test {\n forward . 10.9.0.1\n}\n').value, 'other.test')).toEqual([]);
});
