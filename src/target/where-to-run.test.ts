import { expect, test } from 'vitest';
import { snapshotOf } from '../../test/scenarios/given-facts.ts';
import { SHOP } from '../../test/scenarios/shop-cluster.ts';
import { whereToRun } from './where-to-run.ts';

const shop = snapshotOf(SHOP);

test.each([
  ['pod/shop/web-7d9-b', { pod: { namespace: 'shop', name: 'web-7d9-b' } }],
  ['deploy/shop/web', { pod: { namespace: 'shop' }, notes: [expect.stringContaining('was picked')] }],
  ['web-7d9-b', { pod: { name: 'web-7d9-b' } }],
  ['node/w1', { node: 'w1' }],
])('%s is a place', (word, expected) => {
  const where = whereToRun(shop, word, 'shop');
  expect(where).toMatchObject(expected);
  if (word.startsWith('node/')) expect(where).not.toHaveProperty('pod');
});

test.each([
  ['svc/shop/api', /Service/],
  ['ip/192.0.2.9', /no pod and no node/],
  ['pod/shop/nobody', /no pod nobody/],
  ['example.com', /DNS name/],
])('%s is none', (word, problem) => {
  expect(whereToRun(shop, word, 'shop')).toMatchObject({ problem: expect.stringMatching(problem) });
});

test('a pod on the host’s network is run for on its node', () => {
  const where = whereToRun(shop, 'pod/shop/net', 'shop');
  expect(where).toMatchObject({ node: 'w1', notes: [expect.stringContaining('uses the network of node w1')] });
  expect(where).not.toHaveProperty('pod');
});

test('a pod that nobody has put on a node has no place', () => {
  expect(whereToRun(shop, 'pod/shop/waiting', 'shop')).toMatchObject({
    problem: expect.stringContaining('is on no node yet'),
  });
});
