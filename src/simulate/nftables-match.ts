import { asRecord, asText, nftNode } from '../parse/nft-node.ts';
import { renderNftExpression } from '../parse/nft-rule-text.ts';
import { doubtsOf, type NftAlternative, type NftDatum, type NftType, together } from './nftables-datum.ts';
import { evaluateExpression, lookupIn } from './nftables-expression.ts';
import { headerPresence } from './nftables-exthdr.ts';
import { evaluateFib, isRouted } from './nftables-fib.ts';
import { limitsOf, matchesPattern, readLiteral, readNumber } from './nftables-literal.ts';
import type { NftScope } from './nftables-state.ts';
import type { Chance, Truth } from './trace.ts';
import { CERTAIN, not, truth } from './truth.ts';

/** Whether a condition holds: certainly, by lot, or not known. */
export interface NftTest {
  /** Chance that the rule goes on; 1 to 1 and 0 to 0 are certain. */
  readonly yes: Chance;
  readonly no: Chance;
  readonly fork?: 'random' | 'undecided';
  /** What could not be decided, in nft's words. */
  readonly doubts: readonly string[];
}

const NEVER: Chance = { min: 0, max: 0 };
const PASSES: NftTest = { yes: CERTAIN, no: NEVER, doubts: [] };
const FAILS: NftTest = { yes: NEVER, no: CERTAIN, doubts: [] };

export function testOf(value: Truth, doubts: readonly string[]): NftTest {
  if (value === 'yes') return PASSES;
  return value === 'no' ? FAILS : { yes: { min: 0, max: 1 }, no: { min: 0, max: 1 }, fork: 'undecided', doubts };
}

/** `match` (libnftables-json(5)): LEFT OP RIGHT. */
export function testMatch(body: unknown, scope: NftScope): NftTest {
  const match = asRecord(body) ?? {};
  const op = asText(match.op) ?? '==';
  if (typeof match.right === 'boolean') return testPresence(match.left, op, match.right, scope);
  const alternatives = evaluateExpression(match.left, scope);
  const [sole] = alternatives;
  if (sole && alternatives.length === 1 && sole.chance === CERTAIN) {
    const { value, doubts } = judge(sole.datum, op, match.right, scope);
    return testOf(value, doubts);
  }
  return gather(
    alternatives.map((alternative) => ({ ...alternative, ...judge(alternative.datum, op, match.right, scope) })),
  );
}

interface Judged extends NftAlternative {
  readonly value: Truth;
  readonly doubts: readonly string[];
}

/** The chances of all ways together. Where all agree, how they came about does not matter. */
function gather(ways: readonly Judged[]): NftTest {
  const first = ways[0];
  if (!first) return testOf('unknown', []);
  const doubts = [...new Set(ways.flatMap((way) => (way.value === 'unknown' ? way.doubts : [])))];
  if (ways.every((way) => way.value === first.value)) return testOf(first.value, doubts);
  const undecided = ways.some((way) => way.fork === 'undecided' || way.value === 'unknown');
  return {
    yes: chanceOfAll(ways, 'yes'),
    no: chanceOfAll(ways, 'no'),
    fork: undecided ? 'undecided' : 'random',
    doubts: undecided
      ? [...doubts, ...ways.flatMap((way) => (way.fork === 'undecided' ? doubtsOf(way.datum) : []))]
      : [],
  };
}

function chanceOfAll(ways: readonly Judged[], side: 'yes' | 'no'): Chance {
  const sure = together(ways.flatMap((way) => (way.value === side ? [way.chance] : [])));
  const possible = together(ways.flatMap((way) => (way.value === side || way.value === 'unknown' ? [way.chance] : [])));
  return { min: sure.min, max: possible.max };
}

function judge(
  left: NftDatum,
  op: string,
  right: unknown,
  scope: NftScope,
): { value: Truth; doubts: readonly string[] } {
  if (left.kind === 'absent') return { value: 'no', doubts: [] };
  const value = compare(left, op, right, scope);
  if (value !== 'unknown') return { value, doubts: [] };
  const doubts = doubtsOf(left);
  return { value, doubts: doubts.length > 0 ? doubts : [renderNftExpression(right)] };
}

function compare(left: NftDatum, op: string, right: unknown, scope: NftScope): Truth {
  if (isSet(right)) {
    const found = isIn(left, right, scope);
    return op === '!=' ? not(found) : found;
  }
  const type: NftType = 'type' in left ? left.type : 'integer';
  switch (op) {
    case '==':
      return matchesPattern(left, readLiteral(right, type));
    case '!=':
      return not(matchesPattern(left, readLiteral(right, type)));
    case 'in':
      return anyBit(left, readNumber(right, type));
    case '!':
      return not(anyBit(left, readNumber(right, type)));
    case '<':
    case '>':
    case '<=':
    case '>=':
      return ordered(left, op, readNumber(right, type));
    default:
      return 'unknown';
  }
}

function isSet(right: unknown): boolean {
  return nftNode(right)?.kind === 'set' || (typeof right === 'string' && right.startsWith('@'));
}

function isIn(key: NftDatum, right: unknown, scope: NftScope): Truth {
  const lookup = lookupIn(right, key, scope);
  if (!lookup.certain) return 'unknown';
  return truth(lookup.found.length > 0);
}

/** `ct state new`, `tcp flags syn`: at least one of these bits is set. */
function anyBit(left: NftDatum, mask: bigint | undefined): Truth {
  if (left.kind !== 'number') return 'unknown';
  const undecided = left.undecided ?? 0n;
  if (left.value === 0n && undecided === 0n) return 'no';
  if (mask === undefined) return 'unknown';
  if ((left.value & ~undecided & mask) !== 0n) return 'yes';
  return (undecided & mask) === 0n ? 'no' : 'unknown';
}

function ordered(left: NftDatum, op: '<' | '>' | '<=' | '>=', right: bigint | undefined): Truth {
  const limits = limitsOf(left);
  if (!limits || right === undefined) return 'unknown';
  const holds = (value: bigint): boolean => {
    if (op === '<') return value < right;
    if (op === '>') return value > right;
    return op === '<=' ? value <= right : value >= right;
  };
  const [low, high] = [holds(limits.from), holds(limits.to)];
  return low === high ? truth(low) : 'unknown';
}

/** `exists` and `missing`: whether the packet has the option or extension header, or the lookup has a result. */
function testPresence(left: unknown, op: string, wanted: boolean, scope: NftScope): NftTest {
  const node = nftNode(left);
  const found = presenceOf(node?.kind, node?.body, scope);
  if (found === 'absent') return FAILS;
  return testOf((op === '!=') === wanted ? not(found) : found, [renderNftExpression(left)]);
}

function presenceOf(kind: string | undefined, body: unknown, scope: NftScope): Truth | 'absent' {
  if (kind === 'fib') {
    const routed = isRouted(evaluateFib(body, scope, renderNftExpression({ fib: body })));
    return routed === undefined ? 'unknown' : truth(routed);
  }
  if (kind !== undefined && HEADERS.has(kind)) return headerPresence(kind, body, scope);
  const [found] = evaluateExpression({ [kind ?? '']: body }, scope);
  if (found?.datum.kind === 'absent') return 'absent';
  return found?.datum.kind === 'number' && !found.datum.undecided ? truth(found.datum.value !== 0n) : 'unknown';
}

const HEADERS: ReadonlySet<string> = new Set(['exthdr', 'ip option', 'tcp option', 'sctp chunk', 'dccp option']);
