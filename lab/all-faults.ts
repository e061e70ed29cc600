import { readdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { Fault } from './fault.ts';

const FOLDER = join(import.meta.dirname, 'faults');

/** Every file of `faults/`; each exports one fault, whose id is the file's name. */
export const allFaults = async (): Promise<readonly Fault[]> => {
  const files = (await readdir(FOLDER)).filter((name) => name.endsWith('.ts') && !name.endsWith('.test.ts')).sort();
  return Promise.all(
    files.map(async (file) => {
      const { fault } = (await import(join(FOLDER, file))) as { fault?: Fault };
      if (fault?.id !== basename(file, '.ts')) throw new Error(`lab/faults/${file} does not export a fault of that id`);
      return fault;
    }),
  );
};
