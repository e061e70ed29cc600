import { asRecord, nftNode } from '../parse/nft-node.ts';
import type { NftDatum, NftType } from './nftables-datum.ts';
import { matchesPattern, type NftPattern, readConcatLiteral, readLiteral } from './nftables-literal.ts';

/** What a lookup in a set or map can find. A miss is possible too unless `certain`. */
export interface NftLookup {
  /** Right sides of the elements that are or may be the key's; a set's element has undefined. */
  readonly found: readonly { readonly data: unknown; readonly doubts: readonly string[] }[];
  /** With one element found: it is the one. With none: there is none. */
  readonly certain: boolean;
}

interface Element {
  readonly pattern: NftPattern | undefined;
  readonly data: unknown;
  /** The element carries an expression that can refuse (a limit, a quota), by name. */
  readonly doubts: readonly string[];
}

interface Compiled {
  readonly exact: ReadonlyMap<string, Element>;
  readonly ranged: readonly Element[];
  readonly all: readonly Element[];
  readonly catchAll?: Element;
}

/** Big sets are read once for each type of key, not once for each packet. */
const compiledSets = new WeakMap<readonly unknown[], Map<string, Compiled>>();

/** Looks the key up in a set's or map's elements (nft(8) "Sets", "Maps"): elements exclude each other, `*` is the rest. */
export function lookupElement(elements: readonly unknown[], key: NftDatum): NftLookup {
  const compiled = compiledFor(elements, key);
  const exactKey = exactKeyOf(key);
  if (exactKey !== undefined) {
    const hit = compiled.exact.get(exactKey);
    if (hit) return hitOf(hit);
  }
  const possible: Element[] = [];
  for (const element of exactKey === undefined ? compiled.all : compiled.ranged) {
    const match = matchesPattern(key, element.pattern);
    if (match === 'yes') return hitOf(element);
    if (match === 'unknown') possible.push(element);
  }
  if (compiled.catchAll) {
    return possible.length === 0
      ? hitOf(compiled.catchAll)
      : { found: [...possible, compiled.catchAll], certain: false };
  }
  return { found: possible, certain: possible.length === 0 };
}

function hitOf(element: Element): NftLookup {
  return { found: [element], certain: element.doubts.length === 0 };
}

function compiledFor(elements: readonly unknown[], key: NftDatum): Compiled {
  const types = typesOf(key);
  const signature = types.join(' . ');
  const known = compiledSets.get(elements) ?? new Map<string, Compiled>();
  compiledSets.set(elements, known);
  const compiled = known.get(signature) ?? compile(elements, types, key.kind === 'concat');
  known.set(signature, compiled);
  return compiled;
}

function compile(elements: readonly unknown[], types: readonly NftType[], concat: boolean): Compiled {
  const exact = new Map<string, Element>();
  const ranged: Element[] = [];
  const all: Element[] = [];
  let catchAll: Element | undefined;
  for (const item of elements) {
    const { literal, data, doubts } = elementOf(item);
    if (literal === '*') {
      catchAll = { pattern: undefined, data, doubts };
      continue;
    }
    const element = {
      pattern: concat ? readConcatLiteral(literal, types) : readLiteral(literal, types[0]!),
      data,
      doubts,
    };
    all.push(element);
    const exactKey = exactKeyOfPattern(element.pattern);
    if (exactKey === undefined) ranged.push(element);
    else exact.set(exactKey, element);
  }
  return { exact, ranged, all, ...(catchAll ? { catchAll } : {}) };
}

function elementOf(item: unknown): { literal: unknown; data: unknown; doubts: readonly string[] } {
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

function exactKeyOf(key: NftDatum): string | undefined {
  if (key.kind === 'number') return key.undecided ? undefined : String(key.value);
  if (key.kind === 'text') return `"${key.text}`;
  if (key.kind !== 'concat') return undefined;
  const parts = key.parts.map(exactKeyOf);
  return parts.includes(undefined) ? undefined : parts.join('|');
}

function exactKeyOfPattern(pattern: NftPattern | undefined): string | undefined {
  if (pattern?.kind === 'span') return pattern.from === pattern.to ? String(pattern.from) : undefined;
  if (pattern?.kind === 'text') return pattern.prefix ? undefined : `"${pattern.text}`;
  if (pattern?.kind !== 'concat') return undefined;
  const parts = pattern.parts.map(exactKeyOfPattern);
  return parts.includes(undefined) ? undefined : parts.join('|');
}
