import type { WatchedRules } from '../capture/rule-verdicts.ts';
import { verdictStatement } from '../diagnose/traced-rules.ts';
import { reportPlace } from './build-report.ts';
import type { CaptureRules, CaptureSection } from './capture-report.ts';
import { shortPlace } from './end-text.ts';

export function rulesSection({ watches, verdicts }: Pick<WatchedRules, 'watches' | 'verdicts'>): CaptureRules {
  return {
    places: watches.map(({ place, gap }) => {
      return { place: reportPlace(place), isWhole: gap === undefined, ...(gap !== undefined && { gap }) };
    }),
    verdicts: verdicts.map((verdict) => {
      const { place, base, chain, by, verdict: done, leg, packets } = verdict;
      const statement = verdictStatement(verdict);
      return { place: reportPlace(place), base, chain, by, verdict: done, leg, packets, statement };
    }),
  };
}

/** In sentences: what was dropped, with -v everything that was decided, and where nothing could be traced. */
export function rulesSentences({ rules }: Pick<CaptureSection, 'rules'>, isVerbose: boolean): string[] {
  if (!rules) return [];
  const told = rules.verdicts.filter(({ verdict }) => isVerbose || verdict === 'drop');
  const some = rules.places.some(({ isWhole }) => isWhole);
  const none =
    told.length === 0 && some
      ? ['no rule of nftables or iptables-nft dropped a packet of the flow (rules of iptables-legacy are not traced)']
      : [];
  const gaps = rules.places.flatMap(({ place, gap }) => {
    const where = shortPlace({ node: place.node, namespace: place.namespace as 'host' });
    return gap === undefined ? [] : [`the rules of ${where} were not traced wholly: ${gap}`];
  });
  return [...told.map(({ statement }) => statement), ...none, ...gaps];
}
