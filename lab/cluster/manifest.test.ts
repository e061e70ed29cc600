import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { manifestValues } from './add-ons.ts';
import { pathOfObject } from './api.ts';
import { layoutOf } from './layout.ts';
import { fillIn, readManifest } from './manifest.ts';

test('a name without a value is an error, not an empty text', () => {
  const placeholder = (name: string): string => `a: $\{${name}}`;
  expect(fillIn(placeholder('b'), { b: '1' })).toBe('a: 1');
  expect(() => fillIn(placeholder('c'), { b: '1' })).toThrow('no value for');
});

const layout = layoutOf({
  name: 'lab',
  proxyMode: 'nftables',
  cni: 'flannel-host-gw',
  iptables: 'legacy',
  workers: 1,
  images: [],
});
const files = (await readdir(join(import.meta.dirname, 'manifests'))).map((file) => file.replace('.yaml', ''));

test.each(files)('manifests/%s.yaml is whole, and each object has a place in the API', async (file) => {
  const objects = await readManifest(file, manifestValues(layout));
  expect(objects.length).toBeGreaterThan(1);
  for (const object of objects) expect(pathOfObject(object)).toMatch(/^\/apis?\/.*\/[\w:-]+$/);
});

test('the options of the bed are in them', async () => {
  const text = async (name: string): Promise<string> =>
    JSON.stringify(await readManifest(name, manifestValues(layout)));
  expect(await text('kube-proxy')).toContain('mode: nftables');
  expect(await text('kube-proxy')).toContain('/opt/iptables-legacy:');
  expect(await text('flannel')).toContain('host-gw');
  expect(await text('coredns')).toContain('"replicas":1');
});
