import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { extract } from 'tar-stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Layer } from './layer.ts';
import { writeOciArchive } from './oci-archive.ts';

/** Names and contents of a tar. */
const unpack = async (tar: Buffer): Promise<ReadonlyMap<string, Buffer>> => {
  const found = new Map<string, Buffer>();
  const reader = extract();
  reader.end(tar);
  for await (const entry of reader) {
    const chunks: Buffer[] = [];
    for await (const chunk of entry) chunks.push(chunk as Buffer);
    found.set(entry.header.name, Buffer.concat(chunks));
  }
  return found;
};

let folder: string;
let files: ReadonlyMap<string, Buffer>;
let shared: Buffer;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podtriage-oci-'));
  const layer = new Layer();
  await layer.text('/etc/motd', 'first');
  await layer.text('/etc/motd', 'second');
  await layer.link('/etc/issue', 'motd');
  shared = await layer.finish();
  const own = new Layer();
  await own.file('/program', Buffer.from('code'));
  const images = [
    { reference: 'r.example/a:1', layers: [shared], entrypoint: ['/a'] },
    { reference: 'r.example/b:2', layers: [shared, await own.finish()] },
  ];
  await writeOciArchive(join(folder, 'images.tar'), images);
  files = await unpack(await readFile(join(folder, 'images.tar')));
});

afterAll(() => rm(folder, { recursive: true }));

const json = (name: string) => JSON.parse(files.get(name)!.toString());
const blob = (digest: string): string => `blobs/sha256/${digest.replace('sha256:', '')}`;

test('a layer has the folders above its files, and the first of two files for a path', async () => {
  const content = await unpack(shared);
  expect([...content.keys()]).toEqual(['etc', 'etc/motd', 'etc/issue']);
  expect(content.get('etc/motd')!.toString()).toBe('first');
});

test('every blob is named by what it holds', () => {
  for (const [name, data] of files) {
    if (!name.startsWith('blobs/')) continue;
    expect(name).toBe(`blobs/sha256/${createHash('sha256').update(data).digest('hex')}`);
  }
});

test('each image leads from its name to its layers; a shared layer is there once', () => {
  const index = json('index.json');
  expect(
    index.manifests.map((m: { annotations: Record<string, string> }) => m.annotations['io.containerd.image.name']),
  ).toEqual(['r.example/a:1', 'r.example/b:2']);
  const layers = index.manifests.map((m: { digest: string }) => json(blob(m.digest)).layers);
  expect(layers[1].map((l: { digest: string }) => l.digest)[0]).toBe(layers[0][0].digest);
  expect(layers[1]).toHaveLength(2);
  const tar = zstdDecompressSync(files.get(blob(layers[0][0].digest))!);
  expect(tar.equals(shared)).toBe(true);
});

test('the configuration names each layer by its digest unpacked', () => {
  const manifest = json(blob(json('index.json').manifests[0].digest));
  const config = json(blob(manifest.config.digest));
  expect(config.rootfs.diff_ids).toEqual([`sha256:${createHash('sha256').update(shared).digest('hex')}`]);
  expect(config.config.Entrypoint).toEqual(['/a']);
});
