/** What a user's words say of a rule: its chain and number or handle and words beside them, or a piece of its text. */
export type RuleQuery =
  | { readonly by: 'number'; readonly chain: string; readonly number: number; readonly words: readonly string[] }
  | { readonly by: 'handle'; readonly handle: number; readonly words: readonly string[] }
  | { readonly by: 'text'; readonly text: string; readonly words: readonly string[] };

/**
 * Reads `filter FORWARD#3`, `FORWARD 3 filter`, `iptables-nft/filter/FORWARD#3` (names of nft's chains may have slashes), `nft inet fw input handle 12`, and else the
 * text of a rule as iptables-save or nft prints it, or a piece of that, with `-t TABLE` before it or not.
 */
export function parseRuleQuery(text: string): RuleQuery {
  const bare = text.trim();
  if (bare.startsWith('-') || bare.startsWith('[')) return textQuery(bare);
  const tokens = bare.split(/\s+/).filter((word) => word !== '');
  const handleAt = tokens.indexOf('handle');
  if (handleAt >= 0 && /^\d+$/.test(tokens[handleAt + 1] ?? ''))
    return { by: 'handle', handle: Number(tokens[handleAt + 1]), words: tokens.toSpliced(handleAt, 2) };
  const joined = tokens.findIndex((word) => /^.+#\d+$/.test(word));
  if (joined >= 0) {
    const [chain = '', number = ''] = splitLast(tokens[joined]!);
    return { by: 'number', chain, number: Number(number), words: tokens.toSpliced(joined, 1) };
  }
  const at = tokens.findIndex((word, i) => i > 0 && /^#?\d+$/.test(word));
  if (at > 0 && tokens.length <= 6)
    return {
      by: 'number',
      chain: tokens[at - 1]!,
      number: Number(tokens[at]!.replace('#', '')),
      words: tokens.toSpliced(at - 1, 2),
    };
  return textQuery(bare);
}

function splitLast(word: string): readonly [string, string] {
  const at = word.lastIndexOf('#');
  return [word.slice(0, at), word.slice(at + 1)];
}

/** Counters, as iptables-save -c prints them, are no part of a rule. */
function textQuery(text: string): RuleQuery {
  const table = /^-t (?<table>\S+)\s+/.exec(text);
  const rest = text.slice(table?.[0].length ?? 0).replace(/^\[\d+:\d+\]\s*/, '');
  return { by: 'text', text: oneSpaced(rest), words: table?.groups?.['table'] ? [table.groups['table']] : [] };
}

export function oneSpaced(text: string): string {
  return text.trim().replaceAll(/\s+/g, ' ');
}
