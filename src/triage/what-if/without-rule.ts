import type { Place } from '../../net/place.ts';
import { plainText } from '../../report/plain-text.ts';
import type { Step } from '../../simulate/trace.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { nearNames } from '../../target/near-names.ts';
import { type ChainAt, chainsAt, type RuleAt } from './chains-at.ts';
import { oneSpaced, parseRuleQuery, type RuleQuery } from './rule-query.ts';
import { type Candidate, type Meant, nothing, type WhatIfContext, wasMet } from './what-if-context.ts';

/** Rules of a chain that are named where the user's number is none of them. */
const NAMED_MAX = 4;

/** The rules of one place that the user's words can mean. */
export function withoutRule(words: string, place: Place, context: WhatIfContext): Meant {
  const chains = chainsAt(context.snapshot, place, context.family);
  const query = parseRuleQuery(words);
  const found = chains.flatMap((chain) => rulesMeant(chain, query).map((rule) => candidateOf(chain, rule, context)));
  if (found.length > 0) return { candidates: preferExact(found, query) };
  if (query.by !== 'text' && !(query.by === 'number' && chains.some((chain) => isNamed(chain, query.chain)))) {
    const byText = withText(chains, words, context);
    if (byText.length > 0) return { candidates: byText };
  }
  return notFound(chains, query);
}

function rulesMeant(chain: ChainAt, query: RuleQuery): readonly RuleAt[] {
  if (!query.words.every((word) => chain.words.has(word))) return [];
  switch (query.by) {
    case 'number':
      return isNamed(chain, query.chain) ? chain.rules().filter((rule) => rule.number === query.number) : [];
    case 'handle':
      return chain.rules().filter((rule) => rule.handle === query.handle);
    case 'text':
      return chain.rules().filter((rule) => oneSpaced(rule.text).includes(query.text));
  }
}

/** By its own name, or as `BACKEND/TABLE/NAME`. */
function isNamed({ chain, words }: ChainAt, asked: string): boolean {
  if (chain === asked) return true;
  const before = asked.endsWith(`/${chain}`) ? asked.slice(0, -chain.length - 1) : undefined;
  return before?.split('/').every((word) => words.has(word)) ?? false;
}

function withText(chains: readonly ChainAt[], words: string, context: WhatIfContext): readonly Candidate[] {
  const query: RuleQuery = { by: 'text', text: oneSpaced(words), words: [] };
  return chains.flatMap((chain) => rulesMeant(chain, query).map((rule) => candidateOf(chain, rule, context)));
}

/** A text that is one rule's whole text means that one, though others contain it as well. */
function preferExact(found: readonly Candidate[], query: RuleQuery): readonly Candidate[] {
  if (query.by !== 'text') return found;
  const exact = found.filter((one) => oneSpaced(one.shown ?? '') === query.text);
  return exact.length > 0 ? exact : found;
}

function candidateOf(chain: ChainAt, rule: RuleAt, { trip }: WhatIfContext): Candidate {
  const name = `rule ${chain.fullName}#${rule.number}`;
  const change: SnapshotChange = {
    op: 'rule',
    act: 'remove',
    backend: chain.backend,
    family: chain.family,
    table: chain.table,
    chain: chain.chain,
    number: chain.backend === 'nft' ? (rule.handle ?? 0) : rule.number,
    place: chain.place,
    text: `without the rule ${chain.name}#${rule.number}: ${plainText(rule.text)}`,
  };
  const isIt = (step: Step): boolean =>
    step.kind === 'rule' && step.matched !== 'no' && isOf(chain, step) && step.values['ruleNumber'] === rule.number;
  return { change, name, shown: plainText(rule.text), met: wasMet(trip, chain.place, isIt) };
}

/** Whether a step of the walk is about this chain. */
export function isOf(chain: ChainAt, { values }: Step): boolean {
  if (values['chain'] !== chain.chain) return false;
  if (chain.backend === 'nft')
    return values['backend'] === 'nft' && `${String(values['family'])} ${String(values['table'])}` === chain.table;
  return values['backend'] === chain.backend.replace('.', '-') && values['table'] === chain.table;
}

function notFound(chains: readonly ChainAt[], query: RuleQuery): Meant {
  if (chains.length === 0) return nothing('no rule set was read');
  if (query.by === 'text') return nothing(`no rule contains "${plainText(query.text)}"`);
  if (query.by === 'handle') return nothing(`no rule has the handle ${query.handle}`);
  const named = chains.filter((chain) => isNamed(chain, query.chain));
  const meant = named.filter((chain) => query.words.every((word) => chain.words.has(word)));
  if (meant.length === 0) {
    const names = named.length > 0 ? named.map((chain) => chain.name) : nearChains(query.chain, chains);
    return nothing(`there is no chain ${[...query.words, query.chain].join(' ')}`, names);
  }
  return nothing(
    meant.map((chain) => `${chain.name} has ${countText(chain.rules().length)}`).join(', '),
    meant.flatMap((chain) =>
      chain
        .rules()
        .slice(-NAMED_MAX)
        .map((rule) => `${chain.name}#${rule.number}`),
    ),
  );
}

function countText(count: number): string {
  return count === 1 ? '1 rule' : `${count} rules`;
}

export function nearChains(name: string, chains: readonly ChainAt[]): readonly string[] {
  return nearNames(
    name,
    chains.map((chain) => chain.chain),
  );
}
