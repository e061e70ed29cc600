import { asRecord, nftNode } from '../parse/nft-node.ts';
import type { NftDatum, NftType } from './nftables-datum.ts';
import { matchesPattern, type NftPattern, readConcatLiteral, readLiteral } from './nftables-literal.ts';
import { exactKeyOf, exactKeyOfLiteral } from './nftables-set-key.ts';

/** What a lookup in a set or map can find. A miss is possible too unless `certain`. */
export interface NftLookup {
  /** Right sides of the elements that are or may be the key's; a set's element has undefined. */
  readonly found: readonly { readonly data: unknown; readonly doubts: readonly string[] }[];
  /** With one element found: it is the one. With none: there is none. */
  readonly certain: boolean;
}

interface Element {
  readonly literal: unknown;
  readonly data: unknown;
  /** The element carries an expression that can refuse (a limit, a quota), by name. */
  readonly doubts: readonly string[];
}

/**
 * The index of one set for keys of one type: the items themselves, so that a set of 10,000 elements costs no object for
 * each. Elements that are no single value (ranges, prefixes, wildcards, literals that are not understood) stand apart.
 */
interface Index {
  readonly types: readonly NftType[];
  readonly concat: boolean;
  readonly exact: ReadonlyMap<string, unknown>;
  readonly ranged: readonly unknown[];
  readonly catchAll?: unknown;
  /** Spans of `ranged` in rising order, where the key is one number; made at first use. */
  spans?: readonly Span[];
}

interface Span {
  readonly from: bigint;
  readonly to: bigint;
  readonly item: unknown;
}

/** Big sets are read once for each type of key, not once for each packet. */
const indexes = new WeakMap<readonly unknown[], Map<string, Index>>();
const NOTHING: NftLookup = { found: [], certain: true };

/** Looks the key up in a set's or map's elements (nft(8) "Sets", "Maps"): elements exclude each other, `*` is the rest. */
export function lookupElement(elements: readonly unknown[], key: NftDatum): NftLookup {
  if (elements.length === 0) return NOTHING;
  const index = indexFor(elements, key);
  const exactKey = exactKeyOf(key);
  const hit = exactKey === undefined ? undefined : index.exact.get(exactKey);
  if (hit !== undefined) return hitOf(hit);
  const possible: Element[] = [];
  for (const item of exactKey === undefined ? elements : candidates(index, key)) {
    const element = elementOf(item);
    if (element.literal === '*') continue;
    const match = matchesPattern(key, patternOf(element.literal, index));
    if (match === 'yes') return hitOf(item);
    if (match === 'unknown') possible.push(element);
  }
  if (index.catchAll === undefined) return { found: possible, certain: possible.length === 0 };
  if (possible.length === 0) return hitOf(index.catchAll);
  return { found: [...possible, elementOf(index.catchAll)], certain: false };
}

/** No element has the key. */
const MISSING = Symbol('no such element');

export function isMissing(found: unknown): boolean {
  return found === MISSING;
}

/** The element of a single value as `exactKeyOf` names it, MISSING, or undefined where that alone does not tell. */
export function findExactly(
  elements: readonly unknown[],
  types: readonly NftType[],
  isConcat: boolean,
  key: string,
): unknown {
  if (elements.length === 0) return MISSING;
  const index = indexOf(elements, types, isConcat);
  const hit = index.exact.get(key) ?? (index.ranged.length === 0 ? (index.catchAll ?? MISSING) : undefined);
  return hit === undefined || hit === MISSING || elementOf(hit).doubts.length === 0 ? hit : undefined;
}

function hitOf(item: unknown): NftLookup {
  const element = elementOf(item);
  return { found: [element], certain: element.doubts.length === 0 };
}

function indexFor(elements: readonly unknown[], key: NftDatum): Index {
  return indexOf(elements, typesOf(key), key.kind === 'concat');
}

function indexOf(elements: readonly unknown[], types: readonly NftType[], isConcat: boolean): Index {
  const signature = types.length === 1 ? types[0]! : types.join(' . ');
  const known = indexes.get(elements) ?? new Map<string, Index>();
  const index = known.get(signature) ?? makeIndex(elements, types, isConcat);
  if (known.size === 0) indexes.set(elements, known);
  known.set(signature, index);
  return index;
}

function makeIndex(elements: readonly unknown[], types: readonly NftType[], concat: boolean): Index {
  const exact = new Map<string, unknown>();
  const ranged: unknown[] = [];
  let catchAll: unknown;
  for (const item of elements) {
    const literal = literalOf(item);
    const key = literal === '*' ? undefined : exactKeyOfLiteral(literal, types, concat);
    if (literal === '*') catchAll = item;
    else if (key === undefined) ranged.push(item);
    else exact.set(key, item);
  }
  return { types, concat, exact, ranged, ...(catchAll === undefined ? {} : { catchAll }) };
}

/** Those of the elements without a single value that can hold this single value. */
function candidates(index: Index, key: NftDatum): readonly unknown[] {
  if (key.kind !== 'number' || index.ranged.length < 8) return index.ranged;
  index.spans ??= spansOf(index);
  if (index.spans.length !== index.ranged.length) return index.ranged;
  const span = spanAt(index.spans, key.value);
  return span ? [span.item] : [];
}

/** Shorter than `ranged` where some element was not understood: it may be anywhere. */
function spansOf(index: Index): readonly Span[] {
  const spans: Span[] = [];
  for (const item of index.ranged) {
    const pattern = patternOf(literalOf(item), index);
    if (pattern?.kind === 'span') spans.push({ from: pattern.from, to: pattern.to, item });
  }
  return spans.sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
}

function spanAt(spans: readonly Span[], value: bigint): Span | undefined {
  let low = 0;
  let high = spans.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (spans[middle]!.from <= value) low = middle + 1;
    else high = middle;
  }
  const span = spans[low - 1];
  return span && value <= span.to ? span : undefined;
}

function patternOf(literal: unknown, index: Index): NftPattern | undefined {
  return index.concat ? readConcatLiteral(literal, index.types) : readLiteral(literal, index.types[0]!);
}

/** The element's key as nft prints it: bare, or in `elem` beside a timeout, a comment, an expression. */
function literalOf(item: unknown): unknown {
  const key = Array.isArray(item) ? item[0] : item;
  if (typeof key !== 'object' || key === null || !('elem' in key)) return key;
  return asRecord(key.elem)?.val;
}

function elementOf(item: unknown): Element {
  const [key, data] = Array.isArray(item) ? [item[0], item[1]] : [item, undefined];
  const node = nftNode(key);
  if (node?.kind !== 'elem') return { literal: key, data, doubts: [] };
  const body = asRecord(node.body) ?? {};
  const doubts = ['limit', 'quota', 'ct count']
    .filter((name) => body[name] !== undefined)
    .map((name) => `${name} of a set's element`);
  return { literal: body.val, data, doubts };
}

function typesOf(key: NftDatum): readonly NftType[] {
  if (key.kind === 'concat') return key.parts.flatMap(typesOf);
  return ['type' in key ? key.type : 'integer'];
}
