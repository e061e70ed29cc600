import type { NftSet, NftTable } from '../parse/nft-json.ts';
import { asRecord, nftNode } from '../parse/nft-node.ts';
import { renderNftExpression } from '../parse/nft-rule-text.ts';
import { evaluateCt } from './nftables-ct.ts';
import {
  ABSENT,
  type NftAlternative,
  type NftDatum,
  type NftType,
  notKnown,
  numberOf,
  only,
} from './nftables-datum.ts';
import { headerField } from './nftables-exthdr.ts';
import { evaluateFib } from './nftables-fib.ts';
import { drawn, hashed } from './nftables-hash.ts';
import { readNumber } from './nftables-literal.ts';
import { evaluateMeta } from './nftables-meta.ts';
import { evaluatePayload } from './nftables-payload.ts';
import { evaluateRt } from './nftables-rt.ts';
import { lookupElement, type NftLookup } from './nftables-set.ts';
import { evaluateSocket } from './nftables-socket.ts';
import type { NftScope } from './nftables-state.ts';
import { lookupTouched } from './nftables-touched.ts';
import { both, CERTAIN, UNDECIDED } from './truth.ts';

/** The values that an expression can have for this packet. `type`: what the user of the value takes it for. */
export function evaluateExpression(expression: unknown, scope: NftScope, type?: NftType): readonly NftAlternative[] {
  const node = nftNode(expression);
  const what = renderNftExpression(expression);
  switch (node?.kind) {
    case 'payload':
      return only(evaluatePayload(node.body, scope, what));
    case 'meta':
      return only(evaluateMeta(node.body, scope, what));
    case 'ct':
      return only(evaluateCt(node.body, scope, what));
    case 'fib':
      return only(evaluateFib(node.body, scope, what));
    case 'socket':
      return only(evaluateSocket(node.body, scope, what));
    case 'rt':
      return only(evaluateRt(node.body, scope, what));
    case 'exthdr':
    case 'ip option':
    case 'tcp option':
    case 'sctp chunk':
    case 'dccp option':
      return only(headerField(node.kind, node.body, scope, what));
    case 'osf':
      return only(fingerprinted(scope) ? notKnown(what) : ABSENT);
    case 'concat':
      return evaluateConcat(node.body, scope, what);
    case 'numgen':
      return drawn(node.body, 'random', what);
    case 'jhash':
      return evaluateJhash(node.body, scope, what);
    case 'symhash':
      return drawn(node.body, 'undecided', what);
    case 'map':
      return evaluateMap(node.body, scope, type);
    case 'elem':
      return evaluateExpression(asRecord(node.body)?.val, scope, type);
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      return evaluateBinary(node.kind, node.body, scope, type, what);
    case undefined:
    case 'range':
    case 'prefix':
      return only(literalDatum(expression, type, what));
    default:
      return only(notKnown(what));
  }
}

/** Only a SYN has a fingerprint (net/netfilter/nft_osf.c). */
function fingerprinted({ state }: NftScope): boolean {
  const { l4 } = state.packet;
  return l4.protocol === 'tcp' && (l4.flags?.includes('syn') ?? true);
}

function evaluateJhash(body: unknown, scope: NftScope, what: string): readonly NftAlternative[] {
  return evaluateExpression(asRecord(body)?.expr, scope).flatMap((of) =>
    hashed(body, of.datum, what).map((way) => ({ ...after(of, way), datum: way.datum })),
  );
}

function literalDatum(literal: unknown, type: NftType | undefined, what: string): NftDatum {
  if (type === undefined) return { kind: 'literal', literal };
  const value = readNumber(literal, type);
  return value === undefined ? notKnown(what) : numberOf(type, value);
}

function evaluateConcat(body: unknown, scope: NftScope, what: string): readonly NftAlternative[] {
  if (!Array.isArray(body)) return only(notKnown(what));
  const parts = body.map((part) => evaluateExpression(part, scope));
  if (parts.every((part) => part.length === 1 && part[0]!.chance === CERTAIN)) {
    const data = parts.map((part) => part[0]!.datum);
    return only(data.some((datum) => datum.kind === 'absent') ? ABSENT : { kind: 'concat', parts: data });
  }
  return cross(parts, (data) =>
    data.some((datum) => datum.kind === 'absent') ? ABSENT : { kind: 'concat', parts: data },
  );
}

/** Every combination of the parts' alternatives. */
function cross(
  parts: readonly (readonly NftAlternative[])[],
  join: (data: readonly NftDatum[]) => NftDatum,
): readonly NftAlternative[] {
  let rows: { readonly data: readonly NftDatum[]; readonly of: Omit<NftAlternative, 'datum'> }[] = [
    { data: [], of: { chance: CERTAIN } },
  ];
  for (const alternatives of parts) {
    rows = rows.flatMap((row) =>
      alternatives.map((alternative) => ({ data: [...row.data, alternative.datum], of: after(row.of, alternative) })),
    );
  }
  return rows.map((row) => ({ ...row.of, datum: join(row.data) }));
}

type Likelihood = Pick<NftAlternative, 'chance' | 'fork'>;

/** Both, one after the other: a lot after an undecided choice is undecided. */
export function after(first: Likelihood, second: Likelihood): Likelihood {
  const fork = first.fork === 'undecided' || second.fork === 'undecided' ? 'undecided' : (first.fork ?? second.fork);
  return { chance: both(first.chance, second.chance), ...(fork ? { fork } : {}) };
}

/** `KEY map @NAME` or `KEY map { … }` as a value. A miss leaves the rule. */
function evaluateMap(body: unknown, scope: NftScope, type: NftType | undefined): readonly NftAlternative[] {
  const map = asRecord(body) ?? {};
  return evaluateExpression(map.key, scope).flatMap((key): readonly NftAlternative[] => {
    if (key.datum.kind === 'absent') return [key];
    const lookup = lookupIn(map.data, key.datum, scope);
    if (lookup.unlisted) return [{ ...key, datum: notKnown(renderNftExpression({ map: body })) }];
    const values = lookup.found.map((element) => literalDatum(element.data, type, renderNftExpression(element.data)));
    if (lookup.certain) return [{ ...key, datum: values[0] ?? ABSENT }];
    return [...values, ABSENT].map((datum) => ({ ...after(key, { chance: UNDECIDED, fork: 'undecided' }), datum }));
  });
}

type NftSetLookup = NftLookup & {
  /** The elements are not known, so anything or nothing can be found. */
  readonly unlisted?: true;
};

const UNLISTED: NftSetLookup = { found: [], certain: false, unlisted: true };

/** Looks up in an anonymous set (`{"set": […]}`) or in a named one (`@NAME`) of the rule's table. */
export function lookupIn(data: unknown, key: NftDatum, scope: NftScope): NftSetLookup {
  if (typeof data === 'string' && data.startsWith('@')) return lookupNamed(data.slice(1), key, scope);
  const elements = nftNode(data)?.kind === 'set' ? nftNode(data)?.body : data;
  return Array.isArray(elements) ? lookupElement(elements, key) : lookupElement([elements], key);
}

const setsByName = new WeakMap<NftTable, ReadonlyMap<string, NftSet>>();

export function setNamed(table: NftTable, name: string): NftSet | undefined {
  const known = setsByName.get(table) ?? new Map(table.sets.map((set) => [set.name, set]));
  setsByName.set(table, known);
  return known.get(name);
}

function lookupNamed(name: string, key: NftDatum, scope: NftScope): NftSetLookup {
  const set = setNamed(scope.table, name);
  if (!set || set.terse) return UNLISTED;
  const lookup = lookupTouched(scope, set, key, lookupElement(set.elements, key));
  return lookup === 'unknown' ? UNLISTED : lookup;
}

function evaluateBinary(
  operator: '&' | '|' | '^' | '<<' | '>>',
  body: unknown,
  scope: NftScope,
  type: NftType | undefined,
  what: string,
): readonly NftAlternative[] {
  if (!Array.isArray(body) || body.length < 2) return only(notKnown(what));
  const [first, ...rest] = body as readonly unknown[];
  return rest.reduce<readonly NftAlternative[]>(
    (left, operand) =>
      left.flatMap((alternative) => {
        const operandType = alternative.datum.kind === 'number' ? alternative.datum.type : 'integer';
        const rights = evaluateExpression(
          operand,
          scope,
          operator === '<<' || operator === '>>' ? 'integer' : operandType,
        );
        return cross([[alternative], rights], ([a, b]) => combine(operator, a!, b!, what));
      }),
    evaluateExpression(first, scope, type ?? 'integer'),
  );
}

function combine(operator: '&' | '|' | '^' | '<<' | '>>', left: NftDatum, right: NftDatum, what: string): NftDatum {
  if (left.kind === 'absent' || right.kind === 'absent') return ABSENT;
  if (left.kind !== 'number' || right.kind !== 'number') return notKnown(what);
  const doubts = left.undecided ?? 0n;
  if (right.undecided || (doubts && (operator === '<<' || operator === '>>'))) return notKnown(what);
  const { type } = left;
  switch (operator) {
    case '&':
      return withDoubts(type, left.value & right.value, doubts & right.value);
    case '|':
      return withDoubts(type, left.value | right.value, doubts & ~right.value);
    case '^':
      return withDoubts(type, left.value ^ right.value, doubts);
    case '<<':
      return numberOf(type, BigInt.asUintN(32, left.value << right.value));
    case '>>':
      return numberOf(type, left.value >> right.value);
  }
}

function withDoubts(type: NftType, value: bigint, undecided: bigint): NftDatum {
  return undecided === 0n ? numberOf(type, value) : { kind: 'number', type, value, undecided };
}
