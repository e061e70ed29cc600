import type { CaseItem, KernelCase } from './case.ts';
import { type CheckedCase, gistOf, simulateCase } from './check-case.ts';
import { ruleOfItem } from './counters.ts';
import type { Driver } from './driver.ts';
import { type Mutant, mutantsOf } from './mutants.ts';
import { type RealRun, runCase } from './run-case.ts';

/** What the cases so far have shown of one feature. */
export interface Covered {
  /** Cases that have it. */
  cases: number;
  /** Cases in which its rule was met and the simulated outcome without it is another one. */
  decisive: number;
  /** Whether a simulator that ignores it, or negates it, would have been found out. */
  ignoredFound: boolean;
  negatedFound: boolean | undefined;
}

/** Decisive cases of a feature after which it is not looked at any more. */
export const ENOUGH = 20;
/** Mutants that are walked for one case, and those for which the network is made again without the item. */
const MUTANTS_MAX = 6;
const RERUNS_MAX = 1;

/** Counts what each case decides about each feature. */
export class Coverage {
  readonly features = new Map<string, Covered>();

  private of(feature: string): Covered {
    const known = this.features.get(feature);
    if (known) return known;
    const fresh: Covered = { cases: 0, decisive: 0, ignoredFound: false, negatedFound: undefined };
    this.features.set(feature, fresh);
    return fresh;
  }

  /** Looks at a case that agreed: which of its features decided something. */
  async look(driver: Driver, one: KernelCase, run: RealRun, checked: CheckedCase): Promise<void> {
    const byFeature = Map.groupBy(
      one.items.filter((item) => item.feature !== ''),
      (item) => item.feature,
    );
    for (const feature of byFeature.keys()) this.of(feature).cases++;
    const wanted = [...byFeature].filter(([feature]) => this.isWanted(this.of(feature)));
    wanted.sort(([a], [b]) => this.of(a).decisive - this.of(b).decisive);
    const budget = { mutants: MUTANTS_MAX, reruns: RERUNS_MAX };
    for (const [feature, items] of wanted) {
      if (budget.mutants <= 0) return;
      await this.lookAt(driver, one, run, checked, { feature, items }, budget);
    }
  }

  private isWanted({ decisive, ignoredFound, negatedFound }: Covered): boolean {
    return decisive < ENOUGH || !ignoredFound || negatedFound === false;
  }

  private async lookAt(
    driver: Driver,
    one: KernelCase,
    run: RealRun,
    checked: CheckedCase,
    { feature, items }: { readonly feature: string; readonly items: readonly CaseItem[] },
    budget: { mutants: number; reruns: number },
  ): Promise<void> {
    const covered = this.of(feature);
    for (const item of items) {
      const rule = ruleOfItem(one, run.after, item);
      // A rule counts only where the kernel counted it; what has no counter is taken as met.
      if (rule && rule.packets === 0) continue;
      const mutants = mutantsOf(one, run, item);
      // Without the rule, not with a wider one, is what its effect is measured by.
      const measure = mutants.some(({ how }) => how === 'removed') ? 'removed' : 'ignored';
      for (const mutant of mutants) {
        if (mutant.how === 'negated') covered.negatedFound ??= false;
        const state = await stateOf(driver, one, item, mutant, budget);
        if (!state) continue;
        budget.mutants--;
        const { walked, agrees } = simulateCase(one, { ...run, before: state });
        if (!agrees) {
          if (mutant.how === 'negated') covered.negatedFound = true;
          else if (mutant.how === 'ignored') covered.ignoredFound = true;
        }
        if (mutant.how === measure && gistOf(walked, rule?.key) !== gistOf(checked.walked, rule?.key))
          covered.decisive++;
      }
      return;
    }
  }

  /** Features that have not been shown enough, in words. */
  lacking(): readonly string[] {
    return [...this.features]
      .filter(([, covered]) => this.isWanted(covered))
      .map(([feature, { decisive, ignoredFound, negatedFound }]) => {
        const missed = [...(ignoredFound ? [] : ['ignored']), ...(negatedFound === false ? ['negated'] : [])];
        return `${feature}: ${decisive} decisive${missed.length > 0 ? `, not found out when ${missed.join(' or ')}` : ''}`;
      })
      .toSorted();
  }

  table(): readonly string[] {
    const rows = [...this.features].toSorted(([a], [b]) => (a < b ? -1 : 1));
    const word = (found: boolean | undefined): string => (found === undefined ? '-' : found ? 'found' : 'NOT FOUND');
    return [
      `${'feature'.padEnd(44)} cases  decisive  ignored    negated`,
      ...rows.map(([feature, covered]) =>
        [
          feature.padEnd(44),
          String(covered.cases).padStart(5),
          `${covered.decisive}${covered.decisive >= ENOUGH ? '+' : ''}`.padStart(9),
          ` ${word(covered.ignoredFound).padEnd(10)}`,
          word(covered.negatedFound),
        ].join(' '),
      ),
    ];
  }
}

async function stateOf(
  driver: Driver,
  one: KernelCase,
  item: CaseItem,
  { state }: Mutant,
  budget: { reruns: number },
): Promise<RealRun['before'] | undefined> {
  if (state !== 'needs-kernel') return state;
  if (budget.reruns-- <= 0) return undefined;
  const without = { ...one, items: one.items.filter((other) => other !== item) };
  const outcome = await runCase(driver, without, { send: false });
  return 'ran' in outcome ? outcome.ran.before : undefined;
}
