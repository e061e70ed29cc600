import { nearNames } from '../../target/near-names.ts';
import type { TargetProblem } from '../../target/question.ts';

/** `--with` makes or adds what it names, `--without` takes it away. */
export type WhatIfSign = 'with' | 'without';

const KINDS = ['rule', 'policy', 'sysctl', 'route', 'link', 'address', 'neigh', 'fdb', 'socket'] as const;
export type WhatIfKind = (typeof KINDS)[number];

/** A change of the state as the user wrote it, before it is known what it means here. */
export interface WhatIf {
  readonly sign: WhatIfSign;
  readonly kind: WhatIfKind;
  /** What stands behind the kind, without the place. */
  readonly words: string;
  /** `w1`, `pod/NS/NAME`: where; undefined where it is to be found out. */
  readonly at?: string;
  /** As written, for what is said about it. */
  readonly asked: string;
}

const ALIASES: Readonly<Record<string, WhatIfKind>> = {
  addr: 'address',
  neighbour: 'neigh',
  neighbor: 'neigh',
  iptables: 'rule',
  ip6tables: 'rule',
};

/**
 * Reads `KIND WORDS… [@PLACE]`. The kinds' words are those of the tools: `ip`, `bridge` and `sysctl -w` may stand before
 * them. A kind that there is not is a problem with near names.
 */
export function parseWhatIf(sign: WhatIfSign, text: string): WhatIf | TargetProblem {
  const words = text.trim().replace(/^(ip|bridge)\s+(?=\S)/, '');
  const place = /(?:^|\s)@(?<at>\S+)$/.exec(words)?.groups?.['at'];
  const bare = place === undefined ? words : words.slice(0, words.lastIndexOf(`@${place}`)).trim();
  const { first = '', rest = '' } = /^(?<first>\S+)\s*(?<rest>[\s\S]*)$/.exec(bare)?.groups ?? {};
  const kind = ALIASES[first] ?? KINDS.find((known) => known === first);
  if (kind === undefined) return noSuchKind(sign, text, first);
  if (rest === '') return usage(`--${sign} '${text}' does not say which ${kind}`);
  const given = kind === 'sysctl' ? rest.replace(/^-w\s+/, '') : rest;
  return { sign, kind, words: given, asked: text.trim(), ...(place !== undefined && { at: place }) };
}

function noSuchKind(sign: WhatIfSign, text: string, word: string): TargetProblem {
  const near = nearNames(word, [...KINDS, ...Object.keys(ALIASES)]);
  const problem = `--${sign} '${text}' begins with none of ${KINDS.join(', ')}`;
  return { kind: 'usage', problem, near };
}

export function usage(problem: string, near: readonly string[] = []): TargetProblem {
  return { kind: 'usage', problem, near };
}
