import { describe, expect, test } from 'vitest';
import { given, snapshotOf } from '../../test/scenarios/given-facts.ts';
import { aPod, SHOP, SHOP_PODS } from '../../test/scenarios/shop-cluster.ts';
import { isTargetProblem, type Question, type TargetProblem } from './question.ts';
import { type QuestionWords, resolveQuestion } from './resolve-question.ts';

const shop = snapshotOf(SHOP);

function ask(destination: string, more: Partial<QuestionWords> = {}): Question {
  const question = resolveQuestion(shop, { source: 'pod/shop/web-7d9-c', destination, ...more });
  if (isTargetProblem(question)) throw new Error(question.problem);
  return question;
}

function refused(words: Partial<QuestionWords>, snapshot = shop): TargetProblem {
  const question = resolveQuestion(snapshot, { source: 'pod/shop/web-7d9-c', destination: 'svc/shop/api', ...words });
  if (!isTargetProblem(question)) throw new Error(`resolved to ${JSON.stringify(question)}`);
  return question;
}

describe('destinations', () => {
  const rows: readonly [destination: string, more: Partial<QuestionWords>, expected: object][] = [
    [
      'svc/shop/api:80',
      {},
      {
        destination: { kind: 'service', namespace: 'shop', name: 'api', addresses: ['10.96.0.20'], headless: false },
        protocol: 'tcp',
        port: 80,
        family: 4,
      },
    ],
    ['svc/shop/api:http', {}, { port: 80, destination: { port: { targetPort: 8080 }, portAsked: 'http' } }],
    ['svc/shop/api', {}, { port: 80, protocol: 'tcp' }],
    ['svc/api:80', {}, { destination: { namespace: 'shop', name: 'api' } }],
    ['svc/shop/multi', {}, { port: 80, protocol: 'tcp' }],
    ['svc/shop/multi:8125', {}, { port: 8125, protocol: 'udp' }],
    ['svc/shop/multi', { protocol: 'udp' }, { port: 8125, protocol: 'udp' }],
    ['svc/kube-system/kube-dns:53', {}, { port: 53, protocol: 'udp' }],
    [
      'svc/kube-system/kube-dns:53',
      { protocol: 'tcp' },
      { protocol: 'tcp', destination: { port: { name: 'dns-tcp' } } },
    ],
    ['svc/shop/db:5432', {}, { destination: { headless: true, addresses: [] }, port: 5432 }],
    [
      'svc/shop/out:443',
      {},
      { destination: { type: 'ExternalName', externalName: 'storage.example.com', headless: false }, port: 443 },
    ],
    ['svc/shop/api', { protocol: 'icmp' }, { protocol: 'icmp' }],
    ['pod/shop/db-0:5432', {}, { destination: { kind: 'pod', name: 'db-0', node: 'w2' }, port: 5432, protocol: 'tcp' }],
    ['pod/shop/db-0', {}, { protocol: 'icmp' }],
    ['pod/shop/db-0', { port: 5432 }, { port: 5432, protocol: 'tcp' }],
    ['pod/shop/web-7d9-b:http', {}, { port: 8080, protocol: 'tcp' }],
    ['pod/kube-system/coredns-1:dns', {}, { port: 53, protocol: 'udp' }],
    ['pod/kube-system/coredns-1:53', {}, { port: 53, protocol: 'tcp' }],
    ['deploy/shop/web:8080', {}, { destination: { name: 'web-7d9-b', chosenFrom: 'deploy/shop/web' } }],
    ['sts/shop/db:5432', {}, { destination: { name: 'db-0', chosenFrom: 'sts/shop/db' } }],
    ['web-7d9-b:8080', {}, { destination: { kind: 'pod', name: 'web-7d9-b' } }],
    ['api:80', {}, { destination: { kind: 'name', host: 'api' }, port: 80, protocol: 'tcp' }],
    ['api', {}, { destination: { kind: 'name', host: 'api' }, port: 80, protocol: 'tcp' }],
    ['kube-dns.kube-system.svc.cluster.local', { protocol: 'udp' }, { port: 53, destination: { kind: 'name' } }],
    ['www.example.com', {}, { destination: { kind: 'name' }, protocol: 'icmp' }],
    ['www.example.com:https', {}, { port: 443, protocol: 'tcp' }],
    ['http://api:8080/x', {}, { destination: { host: 'api' }, port: 8080, protocol: 'tcp' }],
    ['https://www.example.com/', {}, { port: 443, protocol: 'tcp' }],
    ['https://www.example.com/', { port: 8443 }, { port: 8443 }],
    ['10.96.0.20:80', {}, { destination: { kind: 'service', name: 'api', addresses: ['10.96.0.20'] }, port: 80 }],
    ['10.244.2.9:5432', {}, { destination: { kind: 'pod', name: 'db-0' } }],
    ['10.244.1.5:8080', {}, { destination: { kind: 'pod', name: 'web-7d9-a' } }],
    ['10.0.0.12', {}, { destination: { kind: 'node', name: 'w2', addresses: ['10.0.0.12'] }, protocol: 'icmp' }],
    ['10.0.0.12:22', {}, { destination: { kind: 'node', name: 'w2' }, port: 22, protocol: 'tcp' }],
    ['192.0.2.50:80', {}, { destination: { kind: 'service', name: 'front', addresses: ['192.0.2.50'] }, port: 80 }],
    ['198.51.100.7:443', {}, { destination: { kind: 'address', address: '198.51.100.7' }, port: 443 }],
    [
      'node/w2:30080',
      {},
      { destination: { kind: 'node', name: 'w2', nodePortOf: { name: 'front', port: { port: 80 } } }, port: 30080 },
    ],
    ['node/w2:10250', {}, { destination: { kind: 'node', name: 'w2' }, port: 10250, protocol: 'tcp' }],
    ['[2001:db8::7]:443', {}, { family: 6, port: 443 }],
    ['pod/shop/dual:80', {}, { family: 4 }],
    ['pod/shop/dual:80', { family: 6 }, { family: 6 }],
  ];
  test.each(rows)('%s %o', (destination, more, expected) => expect(ask(destination, more)).toMatchObject(expected));

  test('a port that the Service lacks is a finding, not a misuse', () => {
    const question = ask('svc/shop/api:8081');
    expect(question).toMatchObject({
      port: 8081,
      protocol: 'tcp',
      destination: { kind: 'service', portAsked: '8081' },
    });
    expect(question.destination).not.toHaveProperty('port');
    expect(question.notes.join()).toContain('http 80/tcp');
    expect(ask('svc/shop/api:grpc')).not.toHaveProperty('port');
  });

  test('a protocol that the Service does not have on that port is a finding too', () => {
    const question = ask('svc/shop/api:80', { protocol: 'udp' });
    expect(question).toMatchObject({ port: 80, protocol: 'udp' });
    expect(question.destination).not.toHaveProperty('port');
  });

  test('secrets of a URL are not kept', () => {
    expect(JSON.stringify(ask('http://user:secret@api/'))).not.toContain('secret');
  });

  test('a pod without a node resolves; its causes speak about it', () => {
    const { destination } = ask('pod/shop/waiting:80');
    expect(destination).toMatchObject({ kind: 'pod', name: 'waiting', addresses: [] });
    expect(destination).not.toHaveProperty('place');
  });

  test('icmp has no port', () => {
    const question = ask('pod/shop/db-0:5432', { protocol: 'icmp' });
    expect(question).not.toHaveProperty('port');
    expect(question.notes.join()).toContain('icmp has no ports');
  });
});

describe('sources', () => {
  const rows: readonly [source: string, more: Partial<QuestionWords>, expected: object][] = [
    ['pod/shop/web-7d9-c', {}, { kind: 'pod', place: { node: 'w1', namespace: 'pod/shop/web-7d9-c' } }],
    ['web-7d9-c', { namespace: 'shop' }, { kind: 'pod', name: 'web-7d9-c' }],
    ['web', { namespace: 'shop' }, { name: 'web-7d9-b', chosenFrom: 'deploy/shop/web' }],
    ['pod/shop/net', {}, { hostNetwork: true, place: { node: 'w1', namespace: 'host' } }],
    ['deploy/shop/web', {}, { name: 'web-7d9-b' }],
    ['deploy/web', { namespace: 'shop' }, { name: 'web-7d9-b' }],
    ['node/w1', {}, { kind: 'node', addresses: ['10.0.0.11'], place: { node: 'w1', namespace: 'host' } }],
    ['ip/203.0.113.9', {}, { kind: 'address', address: '203.0.113.9' }],
    ['ip/10.244.2.9', {}, { kind: 'pod', name: 'db-0' }],
    ['10.0.0.11', {}, { kind: 'node', name: 'w1' }],
    ['pod/shop/web-7d9-c', { container: 'app' }, { container: 'app' }],
  ];
  test.each(rows)('%s %o', (source, more, expected) => {
    expect(ask('svc/shop/api:80', { source, ...more }).source).toMatchObject(expected);
  });

  test('which pod of a workload was taken is said', () => {
    const { notes } = ask('svc/shop/api:80', { source: 'deploy/shop/web' });
    expect(notes).toContain('pod web-7d9-b was picked for deploy/shop/web (2 of 3 ready)');
  });
});

describe('problems', () => {
  const rows: readonly [words: Partial<QuestionWords>, kind: TargetProblem['kind'], says: RegExp, near?: string][] = [
    [{ source: 'pod/shop/web-7d9-x' }, 'not-found', /no pod web-7d9-x in namespace shop/, 'pod/shop/web-7d9-a'],
    [{ source: 'pod/default/db-0' }, 'not-found', /there is pod\/shop\/db-0 in namespace shop/, 'pod/shop/db-0'],
    [{ source: 'pod/shpo/db-0' }, 'not-found', /no namespace shpo/, 'pod/shop/db-0'],
    [{ source: 'db-0' }, 'not-found', /no pod db-0 in namespace default/, 'pod/shop/db-0'],
    [{ source: 'deploy/shop/wbe' }, 'not-found', /no deploy wbe/, 'deploy/shop/web'],
    [{ source: 'deploy/shop/idle' }, 'not-found', /has no pod \(replicas: 0\)/],
    [{ source: 'sts/shop/dp' }, 'not-found', /no pod of sts\/shop\/dp was found/, 'sts/shop/db'],
    [{ source: 'node/w3' }, 'not-found', /no node w3/, 'node/w1'],
    [{ source: 'svc/shop/api' }, 'usage', /a Service sends nothing/],
    [{ source: '10.96.0.20' }, 'usage', /a Service sends nothing/],
    [{ source: 'www.example.com' }, 'usage', /is a DNS name/],
    [{ source: 'pod/shop/web-7d9-c:80' }, 'usage', /takes no port/],
    [{ source: 'pod/shop/web-7d9-c', container: 'ap' }, 'not-found', /no container ap/, 'app'],
    [{ destination: 'svc/shop/apo:80' }, 'not-found', /no svc apo in namespace shop/, 'svc/shop/api'],
    [{ destination: 'svc/default/api:80' }, 'not-found', /there is svc\/shop\/api/, 'svc/shop/api'],
    [{ destination: 'pod/shop/web-7d9-b:htpp' }, 'not-found', /no port named htpp/, 'pod/shop/web-7d9-b:http'],
    [{ destination: 'svc/shop/api', protocol: 'udp' }, 'not-found', /has no udp port/],
    [{ destination: 'pod/shop/db-0', protocol: 'tcp' }, 'usage', /tcp needs a port/],
    [{ destination: 'www.example.com:foo' }, 'usage', /write its number/],
    [{ destination: 'svc/shop/api:80', port: 81 }, 'usage', /says port 80 and --port says 81/],
    [{ destination: 'svc/shop/api', port: '99999' }, 'usage', /--port: port 99999/],
    [{ destination: 'pod/shop/db-0', family: 6 }, 'not-found', /no IPv6 address/],
  ];
  test.each(rows)('%o', (words, kind, says, near) => {
    const got = refused(words);
    expect(got).toMatchObject({ kind, problem: expect.stringMatching(says) });
    if (near !== undefined) expect(got.near).toContain(near);
    expect(got.problem).not.toContain('\n');
  });

  test('one word for two workloads lists both', () => {
    const twins = snapshotOf([
      ...SHOP.filter((one) => one.name !== 'api.pods'),
      given('api.pods', [...SHOP_PODS, aPod('shop', 'web-0', '10.244.1.40', { owner: ['StatefulSet', 'web'] })]),
    ]);
    expect(refused({ source: 'web', namespace: 'shop' }, twins)).toMatchObject({
      kind: 'ambiguous',
      near: expect.arrayContaining(['deploy/shop/web', 'sts/shop/web']),
    });
  });

  test('two pods with one address: as a source it is ambiguous, as a destination it is said', () => {
    const twins = snapshotOf([
      ...SHOP.filter((one) => one.name !== 'api.pods'),
      given('api.pods', [...SHOP_PODS, aPod('shop', 'twin', '10.244.2.9')]),
    ]);
    expect(refused({ source: '10.244.2.9' }, twins).kind).toBe('ambiguous');
    const question = resolveQuestion(twins, { source: 'pod/shop/web-7d9-c', destination: '10.244.2.9:80' }) as Question;
    expect(question.notes).toContain('pod/shop/db-0 and pod/shop/twin claim 10.244.2.9');
  });

  test('pods that may not be read are no access, not absence', () => {
    const blind = snapshotOf(SHOP.filter((one) => one.name !== 'api.pods'));
    expect(refused({}, blind)).toMatchObject({ kind: 'no-access', problem: expect.stringContaining('not-permitted') });
    const question = resolveQuestion(blind, { source: 'node/w1', destination: '10.244.2.9:80' }) as Question;
    expect(question.destination).toEqual({ kind: 'address', address: '10.244.2.9' });
    expect(question.notes).toContain('pods could not be read (not-permitted): 10.244.2.9 may be one of them');
  });

  test('the list of one namespace is enough where the whole is forbidden', () => {
    const part = snapshotOf([
      ...SHOP.filter((one) => one.name !== 'api.pods'),
      given(
        'api.pods',
        SHOP_PODS.filter((pod) => pod.metadata.namespace === 'shop'),
        undefined,
        {
          args: { namespace: 'shop' },
        },
      ),
    ]);
    expect(resolveQuestion(part, { source: 'pod/shop/db-0', destination: 'svc/api:80' })).toMatchObject({
      source: { name: 'db-0' },
    });
  });

  test('a namespace is denied only by the whole list of namespaces', () => {
    const part = snapshotOf(SHOP.filter((one) => one.name !== 'api.namespaces'));
    expect(refused({ source: 'pod/shpo/db-0' }, part).problem).toMatch(/no pod db-0 in namespace shpo/);
  });
});
