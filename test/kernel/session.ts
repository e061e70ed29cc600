import fc from 'fast-check';
import type { KernelCase } from './case.ts';
import { type CheckedCase, checkCase } from './check-case.ts';
import { Coverage } from './coverage.ts';
import { drawn } from './draw.ts';
import { type Driver, DriverEnded } from './driver.ts';
import type { Feature } from './feature.ts';
import { generateCase } from './generate.ts';
import { KNOWN } from './known.ts';
import { type RealRun, runCase } from './run-case.ts';
import { shrinkCase } from './shrink.ts';
import { tellCase } from './tell.ts';

/** A case by where it came from: `seed 5 case 12`, or a file's name. */
export interface NamedCase {
  readonly name: string;
  readonly made: KernelCase;
}

export type Verdict = 'agrees' | 'disagrees' | 'unsteady' | 'known' | 'not-made';

export interface Totals {
  cases: number;
  packets: number;
  disagreements: number;
  /** Packets of which the walk does not know what becomes of them; `plain`: in cases without an undecidable feature. */
  undecided: number;
  undecidedPlain: number;
  /** Disagreed once and agreed when run again. */
  unsteady: number;
  notMade: number;
}

/** The case of this number; the same seed and features make the same one. */
export function caseOf(seed: number, index: number, features: readonly Feature[]): KernelCase {
  return fc.sample(
    drawn((draw) => generateCase(draw, features)),
    { seed: seed + index, numRuns: 1 },
  )[0]!;
}

/** Runs cases and keeps count. */
export class Session {
  readonly totals: Totals = {
    cases: 0,
    packets: 0,
    disagreements: 0,
    undecided: 0,
    undecidedPlain: 0,
    unsteady: 0,
    notMade: 0,
  };
  readonly coverage: Coverage;
  readonly disagreeing: NamedCase[] = [];
  /** How often a case could not be made, by what the tool said. */
  readonly notMade = new Map<string, number>();
  /** Of each known disagreement: cases that fit, and those that disagreed. */
  readonly known = new Map<string, { cases: number; disagreed: number }>();
  private readonly undecidable: readonly string[];
  private readonly say: (line: string) => void;

  constructor(features: readonly Feature[], say: (line: string) => void) {
    this.undecidable = features.filter((one) => one.isUndecidable).map((one) => one.name);
    this.coverage = new Coverage((feature) => this.undecidable.some((one) => feature.startsWith(one)));
    this.say = say;
  }

  /** A walk that throws is its own case's failure, not the run's. */
  async run(driver: Driver, named: NamedCase): Promise<Verdict> {
    try {
      return await this.tryRun(driver, named);
    } catch (problem) {
      if (!(problem instanceof Error) || problem instanceof DriverEnded) throw problem;
      this.say(`\n${named.name} THREW ${problem.stack?.split('\n').slice(0, 4).join('\n')}\n  ${named.made.story}`);
      this.totals.disagreements++;
      this.disagreeing.push(named);
      return 'disagrees';
    }
  }

  private async tryRun(driver: Driver, { name, made }: NamedCase): Promise<Verdict> {
    const outcome = await runCase(driver, made);
    this.totals.cases++;
    if ('failed' in outcome) {
      this.totals.notMade++;
      const why = outcome.failed.slice(0, 300);
      this.notMade.set(why, (this.notMade.get(why) ?? 0) + 1);
      return 'not-made';
    }
    const checked = checkCase(made, outcome.ran);
    this.count(made, checked);
    const known = KNOWN.find(({ isIt }) => isIt(made));
    if (known) return this.countKnown(known.id, isBad(checked));
    return isBad(checked) ? this.disagreed(driver, { name, made }, checked) : this.agreed(made, outcome.ran, checked);
  }

  private count(made: KernelCase, checked: CheckedCase): void {
    const isPlain = !made.items.some(({ feature }) => this.undecidable.some((one) => feature.startsWith(one)));
    this.totals.packets += checked.packets.length;
    for (const { agreement } of checked.packets) {
      if (agreement.kind !== 'undecided') continue;
      this.totals.undecided++;
      if (!isPlain) continue;
      this.totals.undecidedPlain++;
      this.say(`undecided: ${agreement.because} (${made.story})`);
    }
  }

  private countKnown(id: string, disagrees: boolean): Verdict {
    const known = this.known.get(id) ?? { cases: 0, disagreed: 0 };
    this.known.set(id, { cases: known.cases + 1, disagreed: known.disagreed + (disagrees ? 1 : 0) });
    return 'known';
  }

  private agreed(made: KernelCase, run: RealRun, checked: CheckedCase): Verdict {
    this.coverage.look(made, run, checked);
    return 'agrees';
  }

  /** These machines are shared and noisy: what does not show again is told, and counted by itself. */
  private async disagreed(driver: Driver, named: NamedCase, checked: CheckedCase): Promise<Verdict> {
    const again = await disagreement(driver, named.made);
    this.say(`\n${named.name}${again ? '' : ' UNSTEADY: it agreed when run again'}: ${named.made.story}`);
    this.say(tellCase(named.made, checked, { whole: false }));
    if (!again) {
      this.totals.unsteady++;
      return 'unsteady';
    }
    this.totals.disagreements++;
    this.disagreeing.push(named);
    return 'disagrees';
  }

  /** The smallest part of a case that disagrees in the same way. */
  async shrunk(driver: Driver, { name, made }: NamedCase): Promise<KernelCase> {
    const kinds = await kindsIn(driver, made);
    const small = await shrinkCase(made, async (candidate) => {
      return [...(await kindsIn(driver, candidate))].some((kind) => kinds.has(kind));
    });
    this.say(`\n== ${name} shrunk: ${small.items.length} lines, ${small.packets.length} packets`);
    const checked = await disagreement(driver, small).catch((problem: Error) => this.say(problem.message));
    if (checked) this.say(tellCase(small, checked, { whole: true }));
    return small;
  }
}

function isBad(checked: CheckedCase): boolean {
  return checked.counters.length > 0 || checked.packets.some(({ agreement }) => agreement.kind === 'disagrees');
}

async function disagreement(driver: Driver, made: KernelCase): Promise<CheckedCase | undefined> {
  const outcome = await runCase(driver, made);
  if ('failed' in outcome) return undefined;
  const checked = checkCase(made, outcome.ran);
  return isBad(checked) ? checked : undefined;
}

async function kindsIn(driver: Driver, made: KernelCase): Promise<ReadonlySet<string>> {
  try {
    return kindsOf(await disagreement(driver, made));
  } catch (problem) {
    if (problem instanceof DriverEnded) throw problem;
    return new Set([
      `threw ${String(problem)
        .replaceAll(/[0-9]+/g, '#')
        .slice(0, 40)}`,
    ]);
  }
}

/** What kinds of disagreement a case shows, so that shrinking does not end with another one. */
function kindsOf(checked: CheckedCase | undefined): ReadonlySet<string> {
  const all = checked?.packets.flatMap(({ agreement }) =>
    agreement.kind === 'disagrees' ? [agreement.because.replaceAll(/\S*[0-9]\S*/g, '#').slice(0, 80)] : [],
  );
  return new Set([...(all ?? []), ...(checked && checked.counters.length > 0 ? ['counters'] : [])]);
}
