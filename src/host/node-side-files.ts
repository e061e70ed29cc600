import { constants } from 'node:fs';
import { type FileHandle, open, readdir, readlink } from 'node:fs/promises';
import type { FileReply } from '../collect/collector.ts';
import { FILE_MAX_BYTES, FILES_MAX } from '../collect/limits.ts';

type FileEntry = FileReply['files'][number];

const SYMLINKS_MAX = 40;

/**
 * Reads files below `root` (a node's or a container's root directory, `/proc/PID/root`) as seen from inside of it: a
 * symbolic link of the container leads nowhere but into the container. Never blocks on a pipe or a device.
 */
export async function readFilesBelow(root: string, patterns: readonly string[]): Promise<FileReply> {
  const files: FileEntry[] = [];
  for (const pattern of patterns) {
    const paths = await expand(root, pattern);
    if (paths.length === 0) files.push({ path: pattern, error: 'ENOENT' });
    const room = Math.max(0, FILES_MAX - files.length);
    files.push(...(await Promise.all(paths.slice(0, room).map((path) => readOne(root, path)))));
    if (paths.length > room) files.push({ path: pattern, error: 'EMFILE' });
  }
  return { files };
}

async function readOne(root: string, path: string): Promise<FileEntry> {
  try {
    return path.endsWith('/') ? await listDirectory(root, path) : await readText(root, path);
  } catch (error) {
    return { path, error: errnoOf(error) };
  }
}

async function listDirectory(root: string, path: string): Promise<FileEntry> {
  const names = await readdir(root + (await resolveInside(root, path)));
  return { path, text: names.sort().join('\n') };
}

async function readText(root: string, path: string): Promise<FileEntry> {
  const inside = await resolveInside(root, path);
  const flags = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOFOLLOW;
  const file = await open(root + inside, flags);
  try {
    if (!(await file.stat()).isFile()) return { path, error: 'EINVAL' };
    const bytes = await readUpTo(file, FILE_MAX_BYTES + 1);
    const text = bytes.subarray(0, FILE_MAX_BYTES).toString('utf8');
    return bytes.length > FILE_MAX_BYTES ? { path, text, truncated: true } : { path, text };
  } finally {
    await file.close();
  }
}

/** Until the end: files of /proc have no size, and give less than was asked for. */
async function readUpTo(file: FileHandle, maxBytes: number): Promise<Buffer> {
  const pieces: Buffer[] = [];
  let length = 0;
  while (length < maxBytes) {
    const piece = Buffer.allocUnsafe(Math.min(64 << 10, maxBytes - length));
    const { bytesRead } = await file.read(piece, 0, piece.length, null);
    if (bytesRead === 0) break;
    pieces.push(piece.subarray(0, bytesRead));
    length += bytesRead;
  }
  return Buffer.concat(pieces);
}

/** The path without symbolic links, each followed as from inside of `root`. Throws ENOENT, ELOOP … as open(2) would. */
async function resolveInside(root: string, path: string): Promise<string> {
  const rest = path.split('/').filter((part) => part !== '');
  const done: string[] = [];
  let links = 0;
  while (rest.length > 0) {
    const part = rest.shift()!;
    if (part === '.') continue;
    if (part === '..') {
      done.pop();
      continue;
    }
    const target = await linkTarget(`${root}/${[...done, part].join('/')}`);
    if (target === undefined) {
      done.push(part);
      continue;
    }
    if (++links > SYMLINKS_MAX) throw Object.assign(new Error('too many symbolic links'), { code: 'ELOOP' });
    if (target.startsWith('/')) done.length = 0;
    rest.unshift(...target.split('/').filter((piece) => piece !== ''));
  }
  return `/${done.join('/')}`;
}

async function linkTarget(path: string): Promise<string | undefined> {
  try {
    return await readlink(path);
  } catch (error) {
    if (errnoOf(error) === 'EINVAL') return undefined;
    throw error;
  }
}

async function expand(root: string, pattern: string): Promise<readonly string[]> {
  let paths = [''];
  const parts = pattern.replace(/^\//, '').replace(/\/$/, '').split('/');
  for (const part of parts) {
    if (!part.includes('*')) paths = paths.map((path) => `${path}/${part}`);
    else paths = (await Promise.all(paths.map((path) => matching(root, path, part)))).flat();
  }
  return pattern.endsWith('/') ? paths.map((path) => `${path}/`) : paths;
}

async function matching(root: string, directory: string, part: string): Promise<readonly string[]> {
  const words = part.split('*').map((word) => word.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const pattern = new RegExp(`^(?!\\.)${words.join('.*')}$`);
  try {
    const names = await readdir(root + (await resolveInside(root, directory)));
    return names
      .filter((name) => pattern.test(name))
      .sort()
      .map((name) => `${directory}/${name}`);
  } catch {
    // A directory that is not there matches nothing, which is told of the pattern.
    return [];
  }
}

export function errnoOf(error: unknown): string {
  if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
  return String(error);
}
