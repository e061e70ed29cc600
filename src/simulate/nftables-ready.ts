import { familyOf, parseAddress } from '../net/address.ts';
import { prefixMatcher } from '../net/prefix.ts';
import type { NftRule } from '../parse/nft-json.ts';
import { asNumber, asRecord, asText, nftNode } from '../parse/nft-node.ts';
import { ACCEPT, NEXT, type NftBranch, one } from './nftables-branch.ts';
import { readNumber } from './nftables-literal.ts';
import { ABSENT_KEY, elementFor, type ReadyKey, readyKey } from './nftables-ready-key.ts';
import { isMissing } from './nftables-set.ts';
import type { NftScope, NftState } from './nftables-state.ts';
import { runStatement } from './nftables-statement.ts';
import { CT_STATE } from './nftables-symbols.ts';
import { turnOf } from './nftables-vmap.ts';
import { CERTAIN } from './truth.ts';

/*
 * Rules are run millions of times and read seldom: the statements that most of them consist of are made ready once. Each says
 * the same as the readable evaluator (nftables-statement.ts), which does all that is not ready, and all that is not sure.
 */

/** 'next': it goes on; 'break': it does not match; undefined: let the readable evaluator see. */
export type Ready = (scope: NftScope) => readonly NftBranch[] | 'next' | 'break' | undefined;

const rules = new WeakMap<NftRule, readonly (Ready | undefined)[]>();

export function readyStatements(rule: NftRule): readonly (Ready | undefined)[] {
  const known = rules.get(rule);
  if (known) return known;
  const made = rule.statements.map(readyStatement);
  rules.set(rule, made);
  return made;
}

function readyStatement(statement: unknown): Ready | undefined {
  const node = nftNode(statement);
  switch (node?.kind) {
    case 'match':
      return readyMatch(node.body);
    case 'vmap':
      return readyVmap(statement, node.body);
    case 'counter':
      return typeof node.body === 'string' || nftNode(node.body)?.kind === 'map' ? undefined : () => 'next';
    case 'accept':
    case 'drop':
    case 'return':
    case 'jump':
    case 'goto': {
      const turn = turnOf(statement)!;
      return ({ state }) => [one(turn, state)];
    }
    case 'mangle':
      return readyMark(node.body);
    case 'dnat':
    case 'snat':
    case 'masquerade':
      return readyNat(statement, node.body);
    default:
      return undefined;
  }
}

function readyMatch(body: unknown): Ready | undefined {
  const { op, left, right } = asRecord(body) ?? {};
  if (op === 'in') return readyState(left, right);
  if ((op !== '==' && op !== '!=') || typeof right === 'boolean') return undefined;
  const isWanted = op === '==';
  if (nftNode(right)?.kind === 'set' || (typeof right === 'string' && right.startsWith('@'))) {
    return readyMember(left, right, isWanted);
  }
  return readyMarkTest(left, right, isWanted) ?? readyField(left, right, isWanted);
}

function readyField(left: unknown, right: unknown, isWanted: boolean): Ready | undefined {
  const key = readyKey(left);
  if (!key || key.isConcat) return undefined;
  const [type] = key.types;
  const isIt = type === 'ipv4_addr' ? addressTest(right) : numberTest(right, type!);
  if (!isIt) return undefined;
  return (scope) => {
    const text = key.read(scope);
    if (text === undefined) return undefined;
    return text !== ABSENT_KEY && isIt(text) === isWanted ? 'next' : 'break';
  };
}

/** An address or a network of IPv4. */
function addressTest(right: unknown): ((address: string) => boolean) | undefined {
  const prefix = nftNode(right)?.kind === 'prefix' ? asRecord(nftNode(right)?.body) : { addr: right, len: 32 };
  const address = typeof prefix?.addr === 'string' ? parseAddress(prefix.addr) : undefined;
  const length = asNumber(prefix?.len);
  if (address === undefined || familyOf(address) !== 4 || length === undefined) return undefined;
  if (!Number.isInteger(length) || length < 0 || length > 32) return undefined;
  return prefixMatcher({ address, length });
}

function numberTest(right: unknown, type: 'inet_proto' | string): ((text: string) => boolean) | undefined {
  if (type !== 'inet_proto' && type !== 'inet_service') return undefined;
  const value = readNumber(right, type);
  const wanted = value === undefined ? undefined : String(value);
  return wanted === undefined ? undefined : (text) => text === wanted;
}

function readyMember(left: unknown, right: unknown, isWanted: boolean): Ready | undefined {
  const key = readyKey(left);
  if (!key) return undefined;
  return (scope) => {
    const text = key.read(scope);
    if (text === undefined) return undefined;
    if (text === ABSENT_KEY) return 'break';
    const found = elementFor(right, key, text, scope);
    if (found === undefined) return undefined;
    return isMissing(found) !== isWanted ? 'next' : 'break';
  };
}

/** `meta mark 0x1`, `meta mark & 0x4000 != 0`. */
function readyMarkTest(left: unknown, right: unknown, isWanted: boolean): Ready | undefined {
  const node = nftNode(left);
  const operands: readonly unknown[] = node?.kind === '&' && Array.isArray(node.body) ? node.body : [left];
  const mask = operands.length === 1 ? 0xffff_ffff : asNumber(operands[1]);
  const value = isMark(operands[0]) ? readNumber(right, 'mark') : undefined;
  if (operands.length > 2 || !isWord(mask) || value === undefined) return undefined;
  const wanted = Number(value);
  return ({ state }) => {
    if (state.doubtfulMarks.length > 0) return undefined;
    return ((state.meta.mark & mask) >>> 0 === wanted) === isWanted ? 'next' : 'break';
  };
}

function isMark(expression: unknown): boolean {
  const node = nftNode(expression);
  const body = asRecord(node?.body);
  return node?.kind === 'meta' && body?.key === 'mark' && Object.keys(body).length === 1;
}

function isWord(value: unknown): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff;
}

/** `ct state new,established`. */
function readyState(left: unknown, right: unknown): Ready | undefined {
  const node = nftNode(left);
  const body = asRecord(node?.body);
  if (node?.kind !== 'ct' || body?.key !== 'state' || Object.keys(body).length !== 1) return undefined;
  const mask = readNumber(right, 'ct_state');
  if (mask === undefined) return undefined;
  const bits = Number(mask);
  return ({ state }) => {
    const { conntrack } = state.meta;
    // Without an entry it is not so simple (stateDatum).
    if (conntrack === 'none') return undefined;
    return (CT_STATE[conntrack]! & bits) !== 0 ? 'next' : 'break';
  };
}

function readyVmap(statement: unknown, body: unknown): Ready | undefined {
  const { key: expression, data } = asRecord(body) ?? {};
  const node = nftNode(expression);
  if (node?.kind === 'numgen' && nftNode(data)?.kind === 'set') return drawnOnce(statement);
  const key = readyKey(expression);
  return key && ((scope) => verdictFor(data, key, scope));
}

const BREAKS = 'break';

function verdictFor(data: unknown, key: ReadyKey, scope: NftScope): ReturnType<Ready> {
  const text = key.read(scope);
  if (text === undefined) return undefined;
  const found = text === ABSENT_KEY ? BREAKS : elementFor(data, key, text, scope);
  if (found === undefined) return undefined;
  if (found === BREAKS || isMissing(found)) return BREAKS;
  const turn = Array.isArray(found) ? turnOf(found[1]) : undefined;
  return turn && [one(turn, scope.state)];
}

/** Lots do not depend on the packet, nor does what they lead to. */
function drawnOnce(statement: unknown): Ready {
  let ways: readonly NftBranch[] | undefined;
  return (scope) => {
    ways ??= runStatement(statement, scope);
    const { state } = scope;
    return ways.map(({ turn, chance, fork, doubts, features }) => {
      return { turn, state, chance, ...(fork && { fork }), doubts, features };
    });
  };
}

const BIT_BY_BIT: Readonly<Record<string, (mark: number, operand: number) => number>> = {
  '&': (mark, operand) => mark & operand,
  '|': (mark, operand) => mark | operand,
  '^': (mark, operand) => mark ^ operand,
};

/** `meta mark set 0x1`, `meta mark set meta mark | 0x4000`. */
function readyMark(body: unknown): Ready | undefined {
  const { key, value } = asRecord(body) ?? {};
  if (!isMark(key)) return undefined;
  const node = nftNode(value);
  const operands = Array.isArray(node?.body) ? (node.body as readonly unknown[]) : [];
  const combine = node ? BIT_BY_BIT[node.kind] : undefined;
  const operand = node ? operands[1] : value;
  if (!isWord(operand) || (node && (!combine || operands.length !== 2 || !isMark(operands[0])))) return undefined;
  return ({ state }) => {
    if (state.doubtfulMarks.length > 0) return undefined;
    const mark = (combine ? combine(state.meta.mark, operand) : operand) >>> 0;
    return [one(NEXT, { ...state, meta: { ...state.meta, mark } })];
  };
}

/** To an address and port that stand in the rule; what they come to depends on the packet's family alone. */
function readyNat(statement: unknown, body: unknown): Ready | undefined {
  const { addr, port, ...others } = asRecord(body) ?? {};
  const isPlain = (addr === undefined || typeof addr === 'string') && (port === undefined || typeof port === 'number');
  if (!isPlain || asText(others.type_flags) !== undefined || Array.isArray(others.type_flags)) return undefined;
  const known = new Map<4 | 6, NonNullable<NftState['nat']>>();
  return (scope) => {
    const { family } = scope.input;
    const { state } = scope;
    const nat = known.get(family);
    if (nat) return [one(ACCEPT, { ...state, nat })];
    const [way, ...more] = runStatement(statement, scope);
    const made = way?.turn === ACCEPT && more.length === 0 && way.doubts.length === 0 ? way.state.nat : undefined;
    if (!made || made === state.nat || way?.chance.min !== CERTAIN.min) return undefined;
    known.set(family, made);
    return [one(ACCEPT, { ...state, nat: made })];
  };
}
