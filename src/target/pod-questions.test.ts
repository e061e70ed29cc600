import { describe, expect, test } from 'vitest';
import { given, snapshotOf } from '../../test/scenarios/given-facts.ts';
import { aService, SHOP, SHOP_SERVICES } from '../../test/scenarios/shop-cluster.ts';
import { podPlace } from '../net/place.ts';
import { podQuestions } from './pod-questions.ts';
import { type ResolvedPod, resolvePod } from './resolve-pod.ts';

const services = given('api.services', [
  ...SHOP_SERVICES,
  aService('shop', 'web', '10.96.0.30', [{ name: 'http', port: 80, targetPort: 8080 }]),
  aService('other', 'web', '10.96.0.31', [{ name: 'http', port: 80 }]),
  aService('default', 'kubernetes', '10.96.0.1', [{ name: 'https', port: 443 }]),
]);
const facts = [...SHOP.filter((one) => one.name !== 'api.services'), services];

describe('resolvePod', () => {
  const shop = snapshotOf(facts);
  test.each([
    [{ pod: 'pod/shop/web-7d9-c' }, 'web-7d9-c'],
    [{ pod: 'web-7d9-c', namespace: 'shop' }, 'web-7d9-c'],
    [{ pod: 'deploy/shop/web' }, 'web-7d9-b'],
    [{ pod: 'web', namespace: 'shop' }, 'web-7d9-b'],
    [{ pod: 'job/shop/done' }, 'done-x'],
  ])('%o', (words, name) =>
    expect(resolvePod(shop, words)).toMatchObject({ pod: { name }, object: { metadata: { name } } }),
  );

  test.each([
    [{ pod: 'svc/shop/api' }, /is no pod/],
    [{ pod: 'pod/shop/web-7d9-c:80' }, /a port says nothing here/],
    [{ pod: 'pod/shop/web-7d9-c', container: 'x' }, /no container x \(it has app\)/],
    [{ pod: 'pod/shop/nobody' }, /there is no pod nobody/],
  ])('%o is refused', (words, says) => {
    expect(resolvePod(shop, words)).toMatchObject({ problem: expect.stringMatching(says) });
  });
});

describe('podQuestions', () => {
  const questions = (pod: string, more: Parameters<typeof snapshotOf>[0] = []) => {
    const snapshot = snapshotOf([...facts, ...more]);
    return podQuestions(snapshot, resolvePod(snapshot, { pod }) as ResolvedPod);
  };
  const short = (list: ReturnType<typeof questions>) =>
    list.map(
      ({ about, question: { asked, protocol, port } }) =>
        `${about}: ${asked.source} → ${asked.destination} ${protocol} ${port}`,
    );

  test('its wiring, its DNS, a Service, another node, and its own Service', () => {
    expect(short(questions('pod/shop/web-7d9-c'))).toEqual([
      'wiring: node/w1 → pod/shop/web-7d9-c:8080 tcp 8080',
      'dns: pod/shop/web-7d9-c → 10.96.0.10 udp 53',
      'services: pod/shop/web-7d9-c → svc/default/kubernetes tcp 443',
      'way-out: pod/shop/web-7d9-c → node/w2 icmp undefined',
      'own-service: node/w1 → svc/shop/web tcp 80',
    ]);
  });

  test('the nameserver is the one of its own resolv.conf', () => {
    const resolv = given(
      'resolv-conf',
      { nameservers: ['169.254.20.10'], search: [], options: {} },
      podPlace('w1', 'shop', 'web-7d9-c'),
    );
    expect(short(questions('pod/shop/web-7d9-c', [resolv]))[1]).toContain('→ 169.254.20.10 udp 53');
  });

  test('a pod that is nowhere yet is asked for what it would need', () => {
    expect(questions('pod/shop/waiting').map((one) => one.about)).toEqual(['dns', 'services', 'way-out']);
  });
});
