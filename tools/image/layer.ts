import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, readFile, rename, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, posix } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { pack } from 'tar-stream';

/** One entry of an image layer. Its path has no leading slash; owner and time are fixed, so that equal content is equal bytes. */
export type LayerEntry =
  | { readonly type: 'file'; readonly mode: number; readonly content: Uint8Array }
  | { readonly type: 'symlink'; readonly target: string }
  | { readonly type: 'directory'; readonly mode: number };

export type LayerEntries = ReadonlyMap<string, LayerEntry>;

/** A finished layer on disk (gzip), as the OCI image specification names its parts. */
export interface Layer {
  readonly file: string;
  /** sha256 of the gzip file. */
  readonly digest: string;
  /** sha256 of the tar within. */
  readonly diffId: string;
  readonly sizeBytes: number;
  readonly unpackedBytes: number;
}

/** Sorted paths, root as the owner, one time for all: the same entries give the same digest. */
export async function writeLayer(file: string, entries: LayerEntries): Promise<Layer> {
  await mkdir(dirname(file), { recursive: true });
  const partial = `${file}.${process.pid}.partial`;
  const unpacked = measure();
  const packed = measure();
  const tar = pack();
  for (const [path, entry] of sortedWithParents(entries)) addEntry(tar, path, entry);
  tar.finalize();
  await pipeline(tar, unpacked.stream, createGzip({ level: 9 }), packed.stream, createWriteStream(partial));
  const layer = {
    file,
    digest: packed.digest(),
    diffId: unpacked.digest(),
    sizeBytes: packed.sizeBytes(),
    unpackedBytes: unpacked.sizeBytes(),
  };
  await rename(partial, file);
  await writeFile(`${file}.json`, JSON.stringify(layer));
  return layer;
}

/** The same files in a directory, for a Dockerfile to copy. */
export async function writeDirectory(directory: string, entries: LayerEntries): Promise<void> {
  for (const [path, entry] of entries) {
    const target = join(directory, path);
    await mkdir(dirname(target), { recursive: true });
    if (entry.type === 'file') await writeFile(target, entry.content, { mode: entry.mode });
    else if (entry.type === 'symlink') await symlink(entry.target, target);
    else await mkdir(target, { recursive: true, mode: entry.mode });
  }
}

/** A layer that an earlier run wrote; undefined where there is none or its bytes are not what was written. */
export async function cachedLayer(file: string): Promise<Layer | undefined> {
  try {
    const layer = JSON.parse(await readFile(`${file}.json`, 'utf8')) as Layer;
    return (await digestOf(file)) === layer.digest ? { ...layer, file } : undefined;
  } catch {
    return undefined;
  }
}

async function digestOf(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Uint8Array);
  return `sha256:${hash.digest('hex')}`;
}

/** Unpackers want a directory before what lies in it. */
function sortedWithParents(entries: LayerEntries): [string, LayerEntry][] {
  const all = new Map(entries);
  for (const path of entries.keys()) {
    for (let parent = posix.dirname(path); parent !== '.'; parent = posix.dirname(parent)) {
      if (!all.has(parent)) all.set(parent, { type: 'directory', mode: 0o755 });
    }
  }
  return [...all].sort(([a], [b]) => (a < b ? -1 : 1));
}

function addEntry(tar: ReturnType<typeof pack>, path: string, entry: LayerEntry): void {
  const fixed = { name: path, mtime: new Date(0), uid: 0, gid: 0, uname: '', gname: '' };
  if (entry.type === 'file') tar.entry({ ...fixed, mode: entry.mode }, Buffer.from(entry.content));
  else if (entry.type === 'symlink') tar.entry({ ...fixed, type: 'symlink', linkname: entry.target, mode: 0o777 });
  else tar.entry({ ...fixed, name: `${path}/`, type: 'directory', mode: entry.mode });
}

function measure(): { stream: Transform; digest: () => string; sizeBytes: () => number } {
  const hash = createHash('sha256');
  let bytes = 0;
  const stream = new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      hash.update(chunk);
      bytes += chunk.length;
      done(null, chunk);
    },
  });
  return { stream, digest: () => `sha256:${hash.digest('hex')}`, sizeBytes: () => bytes };
}
