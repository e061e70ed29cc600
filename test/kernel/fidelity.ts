import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import fc from 'fast-check';
import type { KernelCase } from './case.ts';
import { type CheckedCase, checkCase } from './check-case.ts';
import { Coverage, ENOUGH } from './coverage.ts';
import { drawn } from './draw.ts';
import { type Driver, startDriver } from './driver.ts';
import { FEATURES } from './features.ts';
import { generateCase } from './generate.ts';
import { runCase } from './run-case.ts';
import { shrinkCase } from './shrink.ts';
import { tellCase } from './tell.ts';

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '300' },
    seed: { type: 'string' },
    /** Only these features, by commas: parts of their names. */
    only: { type: 'string' },
    /** How many of the cases that disagree are shrunk and told whole. */
    shrink: { type: 'string', default: '2' },
    /** Folder for them, as JSON; each can be run again with --file. */
    output: { type: 'string' },
    /** A stored case instead of random ones. */
    file: { type: 'string' },
    /** The case of this number alone, told whole. */
    case: { type: 'string' },
    /** Prints what was shown of each feature, or only what was not shown enough. */
    table: { type: 'boolean', default: false },
    lacking: { type: 'boolean', default: false },
    processors: { type: 'string', default: '2' },
  },
});

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const count = Number(values.cases);
const features = values.only
  ? FEATURES.filter(({ name }) => values.only!.split(',').some((part) => name.includes(part)))
  : FEATURES;
const say = (line: string): void => void process.stdout.write(`${line}\n`);

const totals = { cases: 0, packets: 0, disagreements: 0, undecided: 0, unsteady: 0, failed: 0 };
const coverage = new Coverage();
const failures = new Map<string, number>();

function caseOf(index: number): KernelCase {
  return fc.sample(
    drawn((draw) => generateCase(draw, features)),
    { seed: seed + index, numRuns: 1 },
  )[0]!;
}

function isBad(checked: CheckedCase): boolean {
  return checked.counters.length > 0 || checked.packets.some(({ agreement }) => agreement.kind === 'disagrees');
}

async function one(driver: Driver, index: number): Promise<void> {
  const made = caseOf(index);
  const outcome = await runCase(driver, made);
  totals.cases++;
  if ('failed' in outcome) {
    totals.failed++;
    const why = outcome.failed.slice(0, 300);
    failures.set(why, (failures.get(why) ?? 0) + 1);
    return;
  }
  const checked = checkCase(made, outcome.ran);
  totals.packets += checked.packets.length;
  for (const { agreement } of checked.packets) {
    if (agreement.kind === 'undecided') {
      totals.undecided++;
      say(`undecided #${index}: ${agreement.because}`);
    }
  }
  if (!isBad(checked)) {
    if (!checked.packets.some(({ agreement }) => agreement.kind === 'undecided')) {
      await coverage.look(driver, made, outcome.ran, checked);
    }
    return;
  }
  // These machines are shared and noisy: what does not show again alone is told, and counted by itself.
  const again = await bad(driver, made);
  if (!again) totals.unsteady++;
  else totals.disagreements++;
  say(`\n#${index} (seed ${seed})${again ? '' : ' UNSTEADY: it agreed when run again'} ${made.story}`);
  say(tellCase(made, checked, { whole: false }));
  if (again) disagreeing.push({ index, made });
}

const disagreeing: { readonly index: number; readonly made: KernelCase }[] = [];

async function bad(driver: Driver, made: KernelCase): Promise<CheckedCase | undefined> {
  const outcome = await runCase(driver, made);
  if ('failed' in outcome) return undefined;
  const checked = checkCase(made, outcome.ran);
  return isBad(checked) ? checked : undefined;
}

/** What kinds of disagreement a case shows, so that shrinking does not end with another one. */
function kindsOf(checked: CheckedCase | undefined): ReadonlySet<string> {
  const all = checked?.packets.flatMap(({ agreement }) =>
    agreement.kind === 'disagrees' ? [agreement.because.replaceAll(/\S*[0-9]\S*/g, '#').slice(0, 80)] : [],
  );
  return new Set([...(all ?? []), ...(checked && checked.counters.length > 0 ? ['counters'] : [])]);
}

async function shrunk(driver: Driver, index: number, made: KernelCase): Promise<void> {
  const kinds = kindsOf(await bad(driver, made));
  const small = await shrinkCase(made, async (candidate) => {
    return [...kindsOf(await bad(driver, candidate))].some((kind) => kinds.has(kind));
  });
  say(`\n== #${index} (seed ${seed}) shrunk: ${small.items.length} lines, ${small.packets.length} packets`);
  const checked = await bad(driver, small);
  if (checked) say(tellCase(small, checked, { whole: true }));
  store(small, `${seed}-${index}`);
}

function store(made: KernelCase, name: string): void {
  if (!values.output) return;
  mkdirSync(values.output, { recursive: true });
  writeFileSync(join(values.output, `${name}.json`), `${JSON.stringify(made, null, 1)}\n`);
}

const started = performance.now();
say(`seed ${seed}`);
// Two on each processor: much of the time goes by waiting for the kernel's grace periods.
const processors = Math.min(Number(values.processors), availableParallelism());
const drivers = Array.from({ length: 2 * processors }, (_, index) => startDriver(index % processors));
try {
  if (values.case !== undefined || values.file !== undefined) {
    const made = values.file
      ? (JSON.parse(readFileSync(values.file, 'utf8')) as KernelCase)
      : caseOf(Number(values.case));
    const outcome = await runCase(drivers[0]!, made);
    if ('failed' in outcome) say(outcome.failed);
    else say(tellCase(made, checkCase(made, outcome.ran), { whole: true }));
    store(made, `${seed}-${values.case}`);
  } else {
    let next = 0;
    await Promise.all(
      drivers.map(async (driver) => {
        for (let index = next++; index < count; index = next++) await one(driver, index);
      }),
    );
    for (const { index, made } of disagreeing.slice(0, Number(values.shrink))) await shrunk(drivers[0]!, index, made);
  }
} finally {
  await Promise.all(drivers.map((driver) => driver.stop()));
}
for (const [why, times] of failures) say(`not made (${times}): ${why}`);
if (values.table) for (const line of coverage.table()) say(line);
if (values.lacking) for (const line of coverage.lacking()) say(`lacking: ${line}`);
say(`${coverage.features.size} features, ${coverage.lacking().length} not yet shown by ${ENOUGH} decisive cases`);
if (totals.unsteady > 0) say(`${totals.unsteady} unsteady`);
const seconds = (performance.now() - started) / 1000;
say(`${(totals.cases / seconds).toFixed(1)} networks a second`);
say(
  `${totals.cases} cases, ${totals.packets} packets, ${totals.disagreements} disagreements, ${totals.undecided} undecided`,
);
process.exitCode = totals.disagreements > 0 ? 1 : 0;
