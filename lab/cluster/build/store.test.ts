import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { isStored, loadStored, store } from './store.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'podtriage-store-'));
  vi.stubEnv('XDG_CACHE_HOME', folder);
  await writeFile(join(folder, 'program'), 'x'.repeat(100_000));
});

afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true });
});

const inStore = (...path: readonly string[]): string => join(folder, 'podtriage', 'lab', ...path);

test('what is stored comes back, smaller on the disk', async () => {
  expect(await isStored('p-1')).toBe(false);
  await store('p-1', { program: join(folder, 'program') });
  expect(await isStored('p-1')).toBe(true);
  expect((await loadStored('p-1', 'program')).toString()).toBe('x'.repeat(100_000));
  expect((await readFile(inStore('p-1', 'program.zst'))).length).toBeLessThan(1_000);
});

test('a damaged file is found out and its folder removed, so that it is built anew', async () => {
  await store('p-1', { program: join(folder, 'program') });
  await writeFile(inStore('p-1', 'program.zst'), 'cut');
  await expect(loadStored('p-1', 'program')).rejects.toThrow('damaged');
  expect(await isStored('p-1')).toBe(false);
});

test('what was stored before for the same thing goes when it has not been used for two weeks', async () => {
  for (const key of ['p-1-a', 'p-1-b', 'other-1-a']) await store(key, { program: join(folder, 'program') });
  const long = new Date(Date.now() - 15 * 24 * 60 * 60 * 1000);
  for (const key of ['p-1-a', 'p-1-b', 'other-1-a']) await utimes(inStore(key, 'manifest.json'), long, long);
  await loadStored('p-1-b', 'program');
  await store('p-1-c', { program: join(folder, 'program') });
  expect((await readdir(inStore())).sort()).toEqual(['other-1-a', 'p-1-b', 'p-1-c']);
});

test('an interrupted store is not taken for a whole one', async () => {
  await expect(store('p-1', { program: join(folder, 'program'), more: join(folder, 'missing') })).rejects.toThrow();
  expect(await isStored('p-1')).toBe(false);
  await store('p-1', { program: join(folder, 'program') });
  expect(await readdir(inStore())).toEqual(['p-1']);
});
