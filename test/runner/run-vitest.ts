import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inherit } from './inherit.ts';
import { skippedWhole, type Tally } from './tally.ts';
import { tallyVitest } from './vitest-report.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const VITEST = join(ROOT, 'node_modules', 'vitest', 'vitest.mjs');

export interface RunVitestOptions {
  /** Wraps the command line, for private namespaces. */
  readonly wrap?: (argv: readonly string[]) => Promise<readonly string[]>;
}

const runWith = async (
  suite: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  wrap: RunVitestOptions['wrap'],
): Promise<Tally> => {
  const folder = await mkdtemp(join(tmpdir(), 'podtriage-vitest-'));
  try {
    const file = join(folder, 'report.json');
    const reporters = ['--reporter=dot', '--reporter=json', `--outputFile.json=${file}`, '--passWithNoTests'];
    const argv = [process.execPath, VITEST, 'run', '--root', ROOT, ...reporters, ...args];
    const plain: Record<string, string> = process.stdout.isTTY ? {} : { NO_COLOR: '1' };
    const code = await inherit(wrap ? await wrap(argv) : argv, { ...plain, ...env });
    const text = await readFile(file, 'utf8').catch(() => undefined);
    if (text === undefined) {
      return {
        ...skippedWhole(suite, ''),
        skipped: [],
        failed: [{ id: '*', because: `vitest wrote no report, exit ${code}` }],
      };
    }
    return tallyVitest(suite, JSON.parse(text));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};

/** One of the projects that need nothing of the machine. */
export const runVitestProject = (suite: string, project: string): Promise<Tally> =>
  runWith(suite, ['--project', project], {}, undefined);

/** Test files below these folders that need root, namespaces or a cluster. */
export const runVitest = (
  suite: string,
  folders: readonly string[],
  env: Readonly<Record<string, string>> = {},
  options: RunVitestOptions = {},
): Promise<Tally> =>
  runWith(suite, ['--config', join(ROOT, 'test', 'vitest-root.config.ts'), ...folders], env, options.wrap);
