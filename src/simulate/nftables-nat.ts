import { type Address, addressToBits, bitsToAddress, type Family, familyOf, parseAddress } from '../net/address.ts';
import { networkOf } from '../net/prefix.ts';
import { asNumber, asRecord, asStrings, nftNode } from '../parse/nft-node.ts';
import type { NatRange } from './hook.ts';
import { type NftAlternative, type NftDatum, only } from './nftables-datum.ts';
import { after, evaluateExpression } from './nftables-expression.ts';
import { readNumber } from './nftables-literal.ts';
import type { NftScope, NftState } from './nftables-state.ts';

export type NatKind = 'dnat' | 'snat' | 'masquerade' | 'redirect';

/** One way in which a NAT statement can go. */
interface NatChoice {
  /** Undefined: the statement leaves the rule (its map has no such key). 'unknown': the target was not understood. */
  readonly nat: NonNullable<NftState['nat']> | 'unknown' | undefined;
  readonly chance: NftAlternative['chance'];
  readonly fork?: 'random' | 'undecided';
}

/** `dnat`, `snat`, `masquerade`, `redirect` (nft(8) "NAT statements"): where to, for each lot that it may draw. */
export function natChoices(kind: NatKind, body: unknown, scope: NftScope): readonly NatChoice[] {
  const statement = asRecord(body) ?? {};
  const addresses = statement.addr === undefined ? only(NOTHING) : evaluateExpression(statement.addr, scope);
  const ports = statement.port === undefined ? only(NOTHING) : evaluateExpression(statement.port, scope);
  return addresses.flatMap((address) =>
    ports.map((port) => ({ ...after(address, port), nat: natOf(kind, address.datum, port.datum, statement, scope) })),
  );
}

/** Stands for an address or a port that the statement does not set. */
const NOTHING: NftDatum = { kind: 'literal', literal: undefined };

function natOf(
  kind: NatKind,
  to: NftDatum,
  toPort: NftDatum,
  statement: Readonly<Record<string, unknown>>,
  scope: NftScope,
): NatChoice['nat'] {
  if (to.kind === 'absent' || toPort.kind === 'absent') return undefined;
  const range = withPort(addressRange(kind, to, statement, scope), toPort);
  if (range === 'unknown') return 'unknown';
  const source = kind === 'snat' || kind === 'masquerade';
  return {
    kind: source ? 'source' : 'destination',
    to: range,
    ...(kind === 'masquerade' ? { masquerade: true } : {}),
    ...(kind === 'redirect' ? { redirect: true } : {}),
    ...choiceFlags(asStrings(statement.flags)),
  };
}

function choiceFlags(
  flags: readonly string[],
): Pick<NonNullable<NftState['nat']>, 'random' | 'fullyRandom' | 'persistent'> {
  return {
    ...(flags.includes('random') ? { random: true } : {}),
    ...(flags.includes('fully-random') ? { fullyRandom: true } : {}),
    ...(flags.includes('persistent') ? { persistent: true } : {}),
  };
}

function addressRange(
  kind: NatKind,
  to: NftDatum,
  statement: Readonly<Record<string, unknown>>,
  scope: NftScope,
): NatRange | 'unknown' {
  if (to === NOTHING) return {};
  if (to.kind === 'number' && (to.type === 'ipv4_addr' || to.type === 'ipv6_addr')) {
    return { address: bitsToAddress(to.value, to.type === 'ipv4_addr' ? 4 : 6) };
  }
  if (to.kind !== 'literal') return 'unknown';
  const node = nftNode(to.literal);
  if (node?.kind === 'concat' && Array.isArray(node.body) && node.body.length === 2) {
    const parts = node.body as readonly unknown[];
    return withPort(literalAddress(parts[0], kind, statement, scope), { kind: 'literal', literal: parts[1] });
  }
  return literalAddress(to.literal, kind, statement, scope);
}

function literalAddress(
  literal: unknown,
  kind: NatKind,
  statement: Readonly<Record<string, unknown>>,
  scope: NftScope,
): NatRange | 'unknown' {
  const family = scope.input.family;
  const node = nftNode(literal);
  if (node?.kind === 'range' && Array.isArray(node.body)) {
    const [from, to] = [addressOf(node.body[0], family), addressOf(node.body[1], family)];
    return from === undefined || to === undefined ? 'unknown' : { address: from, addressTo: to };
  }
  if (node?.kind === 'prefix') {
    const prefix = asRecord(node.body) ?? {};
    const address = addressOf(prefix.addr, family);
    const length = asNumber(prefix.len);
    if (address === undefined || length === undefined || length > (family === 4 ? 32 : 128)) return 'unknown';
    return asStrings(statement.flags).includes('netmap') || asStrings(statement.type_flags).includes('prefix')
      ? { address: mappedAddress(address, length, kind, scope) }
      : prefixRange(address, length, family);
  }
  const address = addressOf(literal, family);
  return address === undefined ? 'unknown' : { address };
}

function addressOf(literal: unknown, family: Family): Address | undefined {
  const address = typeof literal === 'string' ? parseAddress(literal) : undefined;
  return address !== undefined && familyOf(address) === family ? address : undefined;
}

function prefixRange(address: Address, length: number, family: Family): NatRange {
  const rest = (1n << BigInt((family === 4 ? 32 : 128) - length)) - 1n;
  const first = networkOf({ address, length }).address;
  return { address: first, addressTo: bitsToAddress(addressToBits(first) | rest, family) };
}

/** NF_NAT_RANGE_NETMAP: the network is exchanged and the host part stays. */
function mappedAddress(network: Address, length: number, kind: NatKind, scope: NftScope): Address {
  const { ip } = scope.state.packet;
  const { family } = scope.input;
  const rest = (1n << BigInt((family === 4 ? 32 : 128) - length)) - 1n;
  const host = addressToBits(kind === 'snat' ? ip.source : ip.destination) & rest;
  return bitsToAddress((addressToBits(network) & ~rest) | host, family);
}

function withPort(range: NatRange | 'unknown', port: NftDatum): NatRange | 'unknown' {
  if (range === 'unknown' || port === NOTHING) return range;
  if (port.kind === 'number') return { ...range, port: Number(port.value) };
  if (port.kind !== 'literal') return 'unknown';
  const node = nftNode(port.literal);
  const [from, to] = node?.kind === 'range' && Array.isArray(node.body) ? node.body : [port.literal, undefined];
  const first = readNumber(from, 'inet_service');
  if (first === undefined) return 'unknown';
  if (to === undefined) return { ...range, port: Number(first) };
  const last = readNumber(to, 'inet_service');
  return last === undefined ? 'unknown' : { ...range, port: Number(first), portTo: Number(last) };
}
