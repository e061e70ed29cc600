import type { CaseItem, KernelCase } from './case.ts';
import { type CheckedCase, type CompareOptions, type Comparison, compareCase } from './check-case.ts';
import { ruleOfItem } from './counters.ts';
import { mutantsOf } from './mutants.ts';
import type { RealRun } from './run-case.ts';

/** What the cases so far have shown of one feature. */
export interface Covered {
  /** Cases that have it, and those of them that were looked at for what it decides. */
  cases: number;
  looked: number;
  /** Cases in which its rule was met and the simulated outcome without it is another one. */
  decisive: number;
  /** Whether a simulator that ignores it, or negates it, would have been found out; undefined: cannot be negated. */
  ignoredFound: boolean;
  negatedFound: boolean | undefined;
}

/** Decisive cases of a feature after which it is not looked at any more. */
export const ENOUGH = 20;
/** Mutants that are walked for one case, and items of one feature that are tried. */
const MUTANTS_MAX = 12;
const ITEMS_MAX = 2;

type Compare = (state: RealRun['before'] | undefined, options: CompareOptions) => Comparison | undefined;

/** Counts what each case decides about each feature. */
export class Coverage {
  readonly features = new Map<string, Covered>();
  private readonly isUndecidable: (feature: string) => boolean;

  /** What is undecidable walks both ways, whichever way round it is. */
  constructor(isUndecidable: (feature: string) => boolean = () => false) {
    this.isUndecidable = isUndecidable;
  }

  private of(feature: string): Covered {
    const known = this.features.get(feature);
    if (known) return known;
    const fresh: Covered = { cases: 0, looked: 0, decisive: 0, ignoredFound: false, negatedFound: undefined };
    this.features.set(feature, fresh);
    return fresh;
  }

  /** Looks at a case that did not disagree: which of its features decided something. Where the walk did not know, none did. */
  look(one: KernelCase, run: RealRun, checked: CheckedCase): void {
    const isDecided = checked.packets.every(({ agreement }) => agreement.kind === 'agrees');
    const byFeature = Map.groupBy(
      one.items.filter((item) => item.feature !== ''),
      (item) => item.feature,
    );
    for (const feature of byFeature.keys()) this.of(feature).cases++;
    const wanted = [...byFeature].filter(([feature]) => this.isWanted(this.of(feature)));
    wanted.sort(([a], [b]) => this.of(a).decisive - this.of(b).decisive);
    let left = MUTANTS_MAX;
    let feature = '';
    const compare: Compare = (state, options) => {
      if (!state) return undefined;
      left--;
      try {
        return compareCase(one, { ...run, before: state }, checked, options);
      } catch (problem) {
        throw new Error(`${feature} taken out or turned round: ${(problem as Error).message}`, { cause: problem });
      }
    };
    for (const [name, items] of wanted) {
      if (left <= 0) return;
      feature = name;
      const covered = this.of(feature);
      covered.looked++;
      const isDecisive = items
        .slice(0, ITEMS_MAX)
        .some((item) => this.lookAt(one, run, item, { covered, isDecided }, compare));
      if (isDecisive) covered.decisive++;
    }
  }

  private isWanted({ decisive, ignoredFound, negatedFound }: Covered): boolean {
    return decisive < ENOUGH || !ignoredFound || negatedFound === false;
  }

  /** Whether the item decided something. */
  private lookAt(
    one: KernelCase,
    run: RealRun,
    item: CaseItem,
    { covered, isDecided }: { readonly covered: Covered; readonly isDecided: boolean },
    compare: Compare,
  ): boolean {
    const rule = ruleOfItem(one, run.after, item);
    const mutants = mutantsOf(one, run, item);
    // A rule counts only where the kernel counted it; what has no counter is taken as met.
    const isMet = rule?.packets !== 0;
    const isOne = !mutants.ignored;
    const mayDecide = isMet && isDecided && covered.decisive < ENOUGH;
    // Without the rule, not with a wider one, is what its effect is measured by.
    const wants = { differs: mayDecide, disagrees: isOne && !covered.ignoredFound };
    const except = item.countsOnly ? undefined : rule?.key;
    const without =
      wants.differs || wants.disagrees ? compare(mutants.removed(), { wants, only: rule?.key, except }) : undefined;
    if (isOne && without?.disagrees) covered.ignoredFound = true;
    const isFound = (state: RealRun['before'] | undefined): boolean =>
      compare(state, { wants: { differs: false, disagrees: true } })?.disagrees ?? false;
    if (mutants.ignored && !covered.ignoredFound) covered.ignoredFound = isFound(mutants.ignored());
    if (mutants.negated && !covered.negatedFound && !this.isUndecidable(item.feature)) {
      covered.negatedFound = isFound(mutants.negated());
    }
    return mayDecide && without?.differs === true;
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
