import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { KernelCase } from './case.ts';
import { checkCase } from './check-case.ts';
import { Coverage, ENOUGH } from './coverage.ts';
import { type Driver, startDriver } from './driver.ts';
import { FEATURES } from './features.ts';
import { runCase } from './run-case.ts';
import { caseOf, type NamedCase, Session } from './session.ts';
import { tellCase } from './tell.ts';
import { reweighed, textOfWeights, WEIGHTS } from './weights.ts';

/* `npm run fidelity`: random networks and stored cases, the kernel against the simulator. README.md tells how. */

const { values } = parseArgs({
  options: {
    cases: { type: 'string', default: '300' },
    /** No case is begun after so many minutes. */
    minutes: { type: 'string', default: '1440' },
    /** Only the cases of these numbers, by commas. */
    numbers: { type: 'string' },
    /** The share of random cases that may disagree before the run fails; stored ones never may. */
    tolerate: { type: 'string', default: '0' },
    seed: { type: 'string' },
    /** Only these features, by commas: parts of their names. */
    only: { type: 'string' },
    /** How many of the cases that disagree are shrunk and told whole. */
    shrink: { type: 'string', default: '2' },
    /** Folder for all that disagree, and for those shrunk, as JSON; each can be run again with --file. */
    output: { type: 'string' },
    /** The case of this number alone, or a stored one, told whole. */
    case: { type: 'string' },
    file: { type: 'string' },
    /** Also the stored cases (cases/). */
    stored: { type: 'boolean', default: false },
    /** Prints what was shown of each feature, or only what was not shown enough. */
    table: { type: 'boolean', default: false },
    lacking: { type: 'boolean', default: false },
    /** Makes weights.json anew from what the run has shown. */
    weigh: { type: 'boolean', default: false },
    /** Where to write the suite's tally. */
    tally: { type: 'string' },
    processors: { type: 'string', default: '2' },
  },
});

const UNDECIDED_MAX = 0.02;
/** Combinations that a tool refuses say nothing of the walk; many of them would say that the generator is broken. */
const NOT_MADE_MAX = 0.03;
const UNSTEADY_MAX = 0.02;

const seed = values.seed === undefined ? Math.floor(Math.random() * 2 ** 31) : Number(values.seed);
const features = values.only
  ? FEATURES.filter(({ name }) => values.only!.split(',').some((part) => name.includes(part)))
  : FEATURES;
const say = (line: string): void => void process.stdout.write(`${line}\n`);
const STORED = join(import.meta.dirname, 'cases');

function readCase(file: string): KernelCase {
  return JSON.parse(readFileSync(file, 'utf8')) as KernelCase;
}

function store(made: KernelCase, name: string): void {
  if (!values.output) return;
  mkdirSync(values.output, { recursive: true });
  writeFileSync(join(values.output, `${name.replaceAll(' ', '-')}.json`), `${JSON.stringify(made, null, 1)}\n`);
}

async function tellOne(driver: Driver, made: KernelCase): Promise<void> {
  store(made, 'case');
  const outcome = await runCase(driver, made);
  if ('failed' in outcome) say(outcome.failed);
  else {
    const checked = checkCase(made, outcome.ran);
    say(tellCase(made, checked, { whole: true }));
    new Coverage().look(made, outcome.ran, checked);
  }
}

/** Stored cases first, then random ones; made as they are wanted. */
function* allCases(): Generator<NamedCase> {
  if (values.stored) {
    for (const file of readdirSync(STORED).toSorted()) {
      if (file.endsWith('.json')) yield { name: file, made: readCase(join(STORED, file)) };
    }
  }
  const numbers = values.numbers?.split(',').map(Number) ?? Array.from({ length: Number(values.cases) }, (_, at) => at);
  for (const index of numbers) {
    yield { name: `seed ${seed} case ${index}`, made: caseOf(seed, index, features) };
  }
}

async function runAll(drivers: readonly Driver[]): Promise<void> {
  const session = new Session(features, say);
  const started = performance.now();
  const untilMs = started + Number(values.minutes) * 60_000;
  const cases = allCases();
  await Promise.all(
    drivers.map(async (driver) => {
      for (let next = cases.next(); !next.done && performance.now() < untilMs; next = cases.next())
        await session.run(driver, next.value);
    }),
  );
  const seconds = (performance.now() - started) / 1000;
  for (const { name, made } of session.disagreeing) store(made, name);
  for (const named of session.disagreeing.slice(0, Number(values.shrink))) {
    store(await session.shrunk(drivers[0]!, named), `${named.name} shrunk`);
  }
  if (values.weigh) writeFileSync(WEIGHTS, textOfWeights(reweighed(features, session.coverage.features)));
  const complaints = complaintsOf(session);
  report(session, seconds, complaints);
  if (values.tally) writeTally(session, complaints, values.tally);
  process.exitCode = complaints.length > 0 ? 1 : 0;
}

/** Stored cases, and random ones where they are more than may be. */
function untolerated(disagreeing: readonly NamedCase[], cases: number): readonly NamedCase[] {
  const random = disagreeing.filter(({ name }) => name.startsWith('seed '));
  return random.length > cases * Number(values.tolerate)
    ? disagreeing
    : disagreeing.filter((one) => !random.includes(one));
}

/** What makes the run fail. */
function complaintsOf({ totals, disagreeing, known }: Session): readonly { id: string; because: string }[] {
  const share = (count: number, of: number, max: number, what: string): { id: string; because: string }[] =>
    count > Math.max(2, of * max) ? [{ id: what, because: `${count} of ${of}, more than ${max * 100} %` }] : [];
  return [
    ...untolerated(disagreeing, totals.cases).map(({ name, made }) => {
      return { id: name, because: `kernel and walk disagree (${made.story})` };
    }),
    ...share(totals.undecidedPlain, totals.packets, UNDECIDED_MAX, 'undecided though nothing undecidable is there'),
    ...share(totals.notMade, totals.cases, NOT_MADE_MAX, 'networks that could not be made'),
    ...share(totals.unsteady, totals.cases, UNSTEADY_MAX, 'unsteady'),
    ...[...known]
      .filter(([, { cases, disagreed }]) => cases >= 20 && disagreed === 0)
      .map(([id]) => ({ id, because: 'known disagreement that does not show any more' })),
  ];
}

function report(
  { coverage, notMade, totals }: Session,
  seconds: number,
  complaints: readonly { id: string; because: string }[],
): void {
  if (values.table) for (const line of coverage.table()) say(line);
  const lacking = coverage.lacking();
  if (values.lacking) for (const line of lacking) say(`lacking: ${line}`);
  for (const [why, times] of notMade) say(`not made (${times}): ${why}`);
  for (const { id, because } of complaints) say(`FAILED ${id}: ${because}`);
  say(`seed ${seed}; ${(totals.cases / seconds).toFixed(1)} networks a second on ${values.processors} processors`);
  say(
    `${coverage.features.size} features met, ${coverage.features.size - lacking.length} of them shown by ${ENOUGH} decisive cases`,
  );
  say(
    `${totals.unsteady} unsteady, ${totals.notMade} not made, ${totals.undecidedPlain} undecided without an undecidable feature`,
  );
  say(
    `${totals.cases} cases, ${totals.packets} packets, ${totals.disagreements} disagreements, ${totals.undecided} undecided`,
  );
}

function writeTally({ totals }: Session, failed: readonly { id: string; because: string }[], file: string): void {
  const passed = totals.cases - totals.disagreements - totals.notMade;
  writeFileSync(file, JSON.stringify({ suite: 'kernel', passed, failed, skipped: [] }));
}

// Three on each processor: much of the time goes by waiting, for grace periods of the kernel and for what does not answer.
const processors = Math.min(Number(values.processors), availableParallelism());
const drivers = Array.from({ length: 3 * processors }, (_, index) => startDriver(index % processors));
try {
  if (values.file !== undefined) await tellOne(drivers[0]!, readCase(values.file));
  else if (values.case !== undefined) await tellOne(drivers[0]!, caseOf(seed, Number(values.case), features));
  else await runAll(drivers);
} finally {
  await Promise.all(drivers.map((driver) => driver.stop()));
}
