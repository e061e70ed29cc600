import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Bed } from './cluster/bed.ts';

/** Something unusual that harms nothing: a diagnosis must still say healthy, and name no cause. */
export interface Oddity {
  /** The name of its file. */
  readonly id: string;
  readonly story: string;
  readonly unfit?: (layout: Bed['layout']) => string | undefined;
  readonly make: (bed: Bed) => Promise<void>;
  readonly undo: (bed: Bed) => Promise<void>;
}

const FOLDER = join(import.meta.dirname, 'oddities');

/** Every file of `oddities/`; each exports one, whose id is the file's name. */
export const allOddities = async (): Promise<readonly Oddity[]> => {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.ts')).sort();
  return Promise.all(
    files.map(async (file) => {
      const { oddity } = (await import(join(FOLDER, file))) as { oddity?: Oddity };
      if (oddity?.id !== basename(file, '.ts')) throw new Error(`lab/oddities/${file} does not export one of that id`);
      return oddity;
    }),
  );
};
