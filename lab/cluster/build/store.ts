import { createHash } from 'node:crypto';
import { access, mkdir, readdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { constants, zstdCompress, zstdDecompress } from 'node:zlib';

const compress = promisify(zstdCompress);
const decompress = promisify(zstdDecompress);

/** Where finished programs and image archives are kept between runs; the Go build cache is not part of it. */
export const storeRoot = (): string =>
  join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'podtriage', 'lab');

export const sha256 = (data: string | Uint8Array): string => createHash('sha256').update(data).digest('hex');

/** A folder of the store: name, version and what they were made from. */
export const storeKey = (id: string, version: string, madeFrom: unknown): string =>
  `${id}-${version}-${sha256(JSON.stringify(madeFrom)).slice(0, 12)}`;

interface Entry {
  readonly name: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Sizes and checksums of the compressed files of one folder. */
interface Manifest {
  readonly files: readonly Entry[];
}

const folderOf = (key: string): string => join(storeRoot(), key);

export const isStored = (key: string): Promise<boolean> =>
  access(join(folderOf(key), 'manifest.json')).then(
    () => true,
    () => false,
  );

const LEVEL = 9; // 135 MB of Kubernetes: 33 MB in 2 s

const UNUSED_DAYS = 14;

/** Removes what was stored for the same thing before and has not been used for long: a cache between runs must not grow for ever. */
const prune = async (key: string): Promise<void> => {
  const id = key.slice(0, key.lastIndexOf('-', key.lastIndexOf('-') - 1));
  const oldest = Date.now() - UNUSED_DAYS * 24 * 60 * 60 * 1000;
  for (const name of await readdir(storeRoot())) {
    if (name === key || !name.startsWith(`${id}-`)) continue;
    const used = await stat(join(folderOf(name), 'manifest.json')).catch(() => undefined);
    if (used && used.mtimeMs < oldest) await rm(folderOf(name), { recursive: true, force: true });
  }
};

/** Stores files under a key, all or nothing: written beside and renamed into place. */
export const store = async (key: string, files: Readonly<Record<string, string>>): Promise<void> => {
  const beside = `${folderOf(key)}.${process.pid}.part`;
  await rm(beside, { recursive: true, force: true });
  await mkdir(beside, { recursive: true });
  const entries: Entry[] = [];
  for (const [name, path] of Object.entries(files)) {
    const packed = await compress(await readFile(path), {
      params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
    });
    await writeFile(join(beside, `${name}.zst`), packed);
    entries.push({ name, bytes: packed.length, sha256: sha256(packed) });
  }
  await writeFile(join(beside, 'manifest.json'), JSON.stringify({ files: entries } satisfies Manifest, null, 1));
  await rm(folderOf(key), { recursive: true, force: true });
  await rename(beside, folderOf(key));
  await prune(key);
};

/** A stored file, checked against its checksum. A damaged one removes its folder, so that the next run builds it anew. */
export const loadStored = async (key: string, name: string): Promise<Buffer> => {
  const folder = folderOf(key);
  const manifest = JSON.parse(await readFile(join(folder, 'manifest.json'), 'utf8')) as Manifest;
  const entry = manifest.files.find((file) => file.name === name);
  const packed = entry && (await readFile(join(folder, `${name}.zst`)).catch(() => undefined));
  if (!packed || sha256(packed) !== entry.sha256) {
    await rm(folder, { recursive: true, force: true });
    throw new Error(`${folder}/${name}.zst is damaged: removed; run the build again`);
  }
  const now = new Date();
  await utimes(join(folder, 'manifest.json'), now, now); // it is in use
  return decompress(packed);
};

/** Total size of a stored folder's files, compressed. */
export const storedBytes = async (key: string): Promise<number> => {
  const manifest = JSON.parse(await readFile(join(folderOf(key), 'manifest.json'), 'utf8')) as Manifest;
  return manifest.files.reduce((sum, file) => sum + file.bytes, 0);
};
