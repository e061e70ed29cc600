import { describe, expect, test } from 'vitest';
import { parseTarget, withoutUserinfo } from './parse-target.ts';

describe('parseTarget', () => {
  const rows: readonly [word: string, target: object][] = [
    ['pod/shop/web-7d9', { kind: 'pod', namespace: 'shop', name: 'web-7d9' }],
    ['pod/web-7d9', { kind: 'pod', name: 'web-7d9' }],
    ['pods/web-7d9', { kind: 'pod', name: 'web-7d9' }],
    ['po/web-7d9:8080', { kind: 'pod', name: 'web-7d9', port: '8080' }],
    ['pod/shop/web-7d9:http', { kind: 'pod', namespace: 'shop', name: 'web-7d9', port: 'http' }],
    ['deploy/shop/web', { kind: 'workload', workload: 'deployment', namespace: 'shop', name: 'web' }],
    ['deployment.apps/web', { kind: 'workload', workload: 'deployment', name: 'web' }],
    [
      'ds/kube-system/kube-proxy',
      { kind: 'workload', workload: 'daemonset', namespace: 'kube-system', name: 'kube-proxy' },
    ],
    ['sts/db', { kind: 'workload', workload: 'statefulset', name: 'db' }],
    ['rs/web-7d9:80', { kind: 'workload', workload: 'replicaset', name: 'web-7d9', port: '80' }],
    ['job/once', { kind: 'workload', workload: 'job', name: 'once' }],
    ['cj/nightly', { kind: 'workload', workload: 'cronjob', name: 'nightly' }],
    ['svc/shop/api:80', { kind: 'service', namespace: 'shop', name: 'api', port: '80' }],
    ['svc/api:80', { kind: 'service', name: 'api', port: '80' }],
    ['service/api', { kind: 'service', name: 'api' }],
    ['SVC/api', { kind: 'service', name: 'api' }],
    ['node/ip-10-0-0-1.ec2.internal:30080', { kind: 'node', name: 'ip-10-0-0-1.ec2.internal', port: '30080' }],
    ['node/w1', { kind: 'node', name: 'w1' }],
    ['ip/192.0.2.7', { kind: 'address', address: '192.0.2.7' }],
    ['ip/192.0.2.7:443', { kind: 'address', address: '192.0.2.7', port: '443' }],
    ['ip/2001:DB8::7', { kind: 'address', address: '2001:db8::7' }],
    ['192.0.2.7:443', { kind: 'address', address: '192.0.2.7', port: '443' }],
    ['192.0.2.7', { kind: 'address', address: '192.0.2.7' }],
    ['2001:db8::7', { kind: 'address', address: '2001:db8::7' }],
    ['[2001:db8::7]:53', { kind: 'address', address: '2001:db8::7', port: '53' }],
    ['[2001:db8::7]', { kind: 'address', address: '2001:db8::7' }],
    ['www.example.com', { kind: 'host', host: 'www.example.com' }],
    ['www.example.com:https', { kind: 'host', host: 'www.example.com', port: 'https' }],
    ['api.shop.svc.cluster.local.:80', { kind: 'host', host: 'api.shop.svc.cluster.local.', port: '80' }],
    ['_http._tcp.api.shop', { kind: 'host', host: '_http._tcp.api.shop' }],
    ['host/api:80', { kind: 'host', host: 'api', port: '80' }],
    ['web-7d9', { kind: 'bare', word: 'web-7d9' }],
    ['api:80', { kind: 'bare', word: 'api', port: '80' }],
    [
      'http://api.shop:8080/healthz?x=1',
      { kind: 'host', host: 'api.shop', port: '8080', scheme: 'http', schemePort: '80' },
    ],
    ['https://api/', { kind: 'host', host: 'api', scheme: 'https', schemePort: '443' }],
    ['http://user:secret@10.0.0.1/', { kind: 'address', address: '10.0.0.1', scheme: 'http', schemePort: '80' }],
    ['http://[fd00::1]:81', { kind: 'address', address: 'fd00::1', port: '81', scheme: 'http', schemePort: '80' }],
    ['tcp://db:5432', { kind: 'host', host: 'db', port: '5432', scheme: 'tcp' }],
    ['  pod/a  ', { kind: 'pod', name: 'a' }],
  ];
  test.each(rows)('%s', (word, target) => expect(parseTarget(word)).toEqual(target));

  const wrong: readonly [word: string, says: RegExp, near?: string][] = [
    ['', /empty/],
    ['pdo/shop/web', /"pdo" is no type/, 'pod/shop/web'],
    ['shop/web-1', /"shop" is no type/, 'pod/shop/web-1'],
    ['pod/a/b/c', /too many parts/],
    ['pod//web', /missing/],
    ['pod/', /missing/],
    ['pod/we b', /cannot be a Kubernetes name/],
    ['node/a/b', /a node has no namespace/],
    ['svc/api:0', /not between 1 and 65535/],
    ['svc/api:70000', /not between 1 and 65535/],
    ['svc/api:', /missing/],
    ['10.0.0.300:80', /not an IP address/],
    ['10.0.0', /not an IP address/],
    ['10.0.0.0/24', /prefix/],
    ['fd00::1:zz:80', /write \[ADDRESS\]:PORT/],
    ['[10.0.0.1]:80', /not an IPv6 address/],
    ['[fd00::1]x', /behind the bracket/],
    ['fe80::1%eth0', /zone/],
    ['ip/www.example.com', /not an IP address/],
    ['http:///x', /without a host/],
    ['a..b', /neither a name/],
    ['-n', /neither a name/],
    ['x'.repeat(2000), /too long/],
  ];
  test.each(wrong)('%s is refused', (word, says, near) => {
    const got = parseTarget(word);
    expect(got).toMatchObject({ kind: 'usage', problem: expect.stringMatching(says) });
    if (near !== undefined) expect(got).toMatchObject({ near: expect.arrayContaining([near]) });
  });
});

test('withoutUserinfo keeps secrets of a URL out of reports', () => {
  expect(withoutUserinfo('https://u:p@api/x')).toBe('https://api/x');
  expect(withoutUserinfo('https://api/x@y')).toBe('https://api/x@y');
});
