import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { allFaults } from '../../lab/all-faults.ts';
import { Bed } from '../../lab/cluster/bed.ts';
import { DEFAULT_NAME } from '../../lab/cluster/layout.ts';
import { type CaseResult, type Outcome, runFaults } from './run-faults.ts';

/** A line of the table: id, verdict, seconds of each part, and below it what is wrong. */
export const renderResult = (result: CaseResult): string => {
  const seconds = Object.entries(result.seconds).map(([what, value]) => `${what} ${value.toFixed(1)}`);
  const line = `${result.outcome.padEnd(8)}${result.id.padEnd(64)}${seconds.join(', ')}`;
  return [line.trimEnd(), ...result.because.map((text) => `        ${text.split('\n').join('\n        ')}`)].join('\n');
};

export const count = (results: readonly CaseResult[], outcome: Outcome): number =>
  results.filter((result) => result.outcome === outcome).length;

const checkIds = async (only: readonly string[]): Promise<void> => {
  const known = new Set((await allFaults()).map((fault) => fault.id));
  const unknown = only.filter((id) => !known.has(id));
  if (unknown.length > 0) throw new Error(`no fault ${unknown.join(', ')}; there are ${[...known].join(' ')}`);
};

interface Options {
  readonly name: string;
  readonly only?: string;
  readonly lab?: boolean;
  readonly healthy: boolean;
  readonly json?: string;
  readonly extra?: string;
}

const main = async (options: Options): Promise<void> => {
  const only = options.only?.split(',').filter(Boolean);
  if (only) await checkIds(only);
  const stop = new AbortController();
  process.once('SIGINT', () => {
    process.stderr.write('stopping after this fault, which is healed first; again: at once\n');
    stop.abort();
  });
  const bed = await Bed.open(options.name);
  try {
    const results = await runFaults(bed, {
      ...(only ? { only } : {}),
      lab: Boolean(options.lab),
      healthy: options.healthy && !options.lab && !only,
      extra: options.extra?.split(' ').filter(Boolean) ?? [],
      signal: stop.signal,
      onResult: (result) => process.stdout.write(`${renderResult(result)}\n`),
    });
    if (options.json) await writeFile(options.json, JSON.stringify(results, null, 1));
    const [passed, failed, skipped] = (['passed', 'failed', 'skipped'] as const).map((each) => count(results, each));
    process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} skipped\n`);
    process.exitCode = failed === 0 ? 0 : 1;
  } finally {
    bed.close();
  }
};

if (import.meta.main) {
  new Command('node test/cluster/faults.ts')
    .description('on a bed that is up: makes each fault, lets podtriage diagnose it, mends it')
    .option('--name <bed>', 'which bed', DEFAULT_NAME)
    .option('--only <ids>', 'these faults, by commas')
    .option('--lab', 'makes and mends only: tests the lab, not podtriage')
    .option('--no-healthy', 'leaves out the healthy pairs at the start')
    .option('--json <file>', 'writes the results')
    .option('--extra <args>', 'more arguments for podtriage diagnose')
    .action(main)
    .parseAsync()
    .catch((error: Error) => {
      process.stderr.write(`${error.message}\n`);
      process.exitCode = 2;
    });
}
