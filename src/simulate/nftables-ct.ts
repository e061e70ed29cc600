import { addressToBits, familyOf } from '../net/address.ts';
import { asRecord, asText } from '../parse/nft-node.ts';
import { ABSENT, type NftDatum, notKnown, numberOf } from './nftables-datum.ts';
import { portDatum } from './nftables-payload.ts';
import { type NftScope, type NftState, protocolOf } from './nftables-state.ts';
import { CT_STATE, CT_STATUS, PROTOCOLS } from './nftables-symbols.ts';
import type { Truth } from './trace.ts';

/** `ct` (nft(8) "Conntrack expressions", net/netfilter/nft_ct.c). */
export function evaluateCt(body: unknown, scope: NftScope, what: string): NftDatum {
  const ct = asRecord(body) ?? {};
  const key = (asText(ct.key) ?? '').replace(/^ip6? /, '');
  if (key === 'state') return stateDatum(scope);
  if (!hasEntry(scope.state)) return ABSENT;
  return ofEntry(key, ct, scope, what);
}

/**
 * A packet whose zone was set before conntrack saw it carries a template in the place of an entry (nft_ct_set_zone_eval):
 * it is new, and has no other key.
 */
export function hasTemplate({ meta }: NftState): boolean {
  return meta.conntrack === 'none' && meta.zone !== 0;
}

/** Without a conntrack entry every key but the state leaves the rule. */
export function hasEntry(state: NftState): boolean {
  return !['none', 'untracked', 'invalid'].includes(state.meta.conntrack);
}

/** A packet without an entry (before conntrack, or given up by it) counts as invalid, unless it was untracked on purpose. */
function stateDatum({ state }: NftScope): NftDatum {
  const { conntrack } = state.meta;
  if (conntrack !== 'none') return numberOf('ct_state', CT_STATE[conntrack]!);
  return numberOf('ct_state', hasTemplate(state) ? CT_STATE.new! : CT_STATE.invalid!);
}

function ofEntry(key: string, ct: Readonly<Record<string, unknown>>, scope: NftScope, what: string): NftDatum {
  const { input, state } = scope;
  switch (key) {
    case 'status':
      return statusDatum(scope);
    case 'mark':
      return state.doubtfulMarks.includes('connmark') ? notKnown(what) : numberOf('mark', state.meta.connmark);
    case 'zone':
      return zoneDatum(asText(ct.dir), scope);
    case 'direction':
      return numberOf('ct_dir', input.connection.reply ? 1 : 0);
    case 'l3proto':
      return numberOf('nf_proto', input.family === 4 ? 2 : 10);
    case 'protocol':
      return numberOf('inet_proto', protocolOfEntry(scope));
    case 'helper':
      // Of a connection that was expected, its master's helper; any other has none here.
      return input.connection.status?.expected === 'no' ? ABSENT : notKnown(what);
    case 'label':
      return isFirst(scope) && !state.labelled ? numberOf('integer', 0) : notKnown(what);
    case 'packets':
    case 'bytes':
    case 'avgpkt':
      return countDatum(key, asText(ct.dir), scope, what);
    default:
      return tupleDatum(key, ct, scope, what);
  }
}

/** The connection's, which an error about it is not of (nf_ct_protonum). */
function protocolOfEntry({ input, state }: NftScope): number {
  const { protocol } = input.connection.original;
  const number = protocol === undefined ? undefined : (PROTOCOLS[protocol] ?? Number(protocol));
  return number === undefined || Number.isNaN(number) ? protocolOf(state.packet.l4) : number;
}

/** No packet of this connection went before (it is not confirmed yet). */
function isFirst({ input, state }: NftScope): boolean {
  return state.meta.conntrack === 'new' && input.connection.status?.confirmed === 'no';
}

/** A rule that asks switches accounting on (nf_ct_set_acct); a first packet is counted before any rule sees it. */
function countDatum(key: 'packets' | 'bytes' | 'avgpkt', direction: string | undefined, scope: NftScope, what: string) {
  if (!isFirst(scope)) return notKnown(what);
  if (direction === 'reply') return numberOf('integer', 0);
  return numberOf('integer', key === 'packets' ? 1 : scope.state.packet.lengthBytes);
}

/** A zone that counts for one direction alone is 0 for the other (nf_ct_zone_id). */
function zoneDatum(direction: string | undefined, { state }: NftScope): NftDatum {
  const { zone, zoneDirection } = state.meta;
  const isForeign = direction !== undefined && zoneDirection !== undefined && direction !== zoneDirection;
  return numberOf('integer', isForeign ? 0 : zone);
}

const ORDER = ['expected', 'seenReply', 'assured', 'confirmed'] as const;
const BITS: Readonly<Record<(typeof ORDER)[number], number>> = {
  expected: CT_STATUS.expected!,
  seenReply: CT_STATUS['seen-reply']!,
  assured: CT_STATUS.assured!,
  confirmed: CT_STATUS.confirmed!,
};

function statusDatum({ input, state }: NftScope): NftDatum {
  const { nat } = state.meta;
  let value = (nat.includes('source') ? CT_STATUS.snat! : 0) | (nat.includes('destination') ? CT_STATUS.dnat! : 0);
  let undecided = 0;
  for (const name of ORDER) {
    const bit: Truth = input.connection.status?.[name] ?? 'unknown';
    if (bit === 'yes') value |= BITS[name];
    if (bit === 'unknown') undecided |= BITS[name];
  }
  return {
    kind: 'number',
    type: 'ct_status',
    value: BigInt(value),
    ...(undecided ? { undecided: BigInt(undecided) } : {}),
  };
}

function tupleDatum(key: string, ct: Readonly<Record<string, unknown>>, scope: NftScope, what: string): NftDatum {
  const tuple = tupleOf(ct.dir, scope);
  if (!tuple) return notKnown(what);
  switch (key) {
    case 'saddr':
      return addressDatum(tuple.source, ct);
    case 'daddr':
      return addressDatum(tuple.destination, ct);
    case 'proto-src':
      return portDatum(tuple.sourcePort, what, tuple.chosenFrom);
    case 'proto-dst':
      return portDatum(tuple.destinationPort, what, tuple.chosenFrom);
    default:
      return notKnown(what);
  }
}

type Tuple = NftScope['input']['connection']['original'];

/** Without NAT the answers' tuple is the original one turned; NAT that was set up in this very run is not told here. */
function tupleOf(direction: unknown, scope: NftScope): Tuple | undefined {
  const { original, answer } = scope.input.connection;
  if (direction === 'original') return original;
  if (direction !== 'reply' || scope.state.nat) return undefined;
  if (answer) return answer;
  if (scope.state.meta.nat.length > 0) return undefined;
  return {
    source: original.destination,
    destination: original.source,
    ...(original.destinationPort === undefined ? {} : { sourcePort: original.destinationPort }),
    ...(original.sourcePort === undefined ? {} : { destinationPort: original.sourcePort }),
  };
}

function addressDatum(address: string, ct: Readonly<Record<string, unknown>>): NftDatum {
  const family = familyOf(address);
  const asked = ct.family ?? /^ip6?(?= )/.exec(asText(ct.key) ?? '')?.[0];
  if (asked !== undefined && asked !== (family === 4 ? 'ip' : 'ip6')) return ABSENT;
  return numberOf(family === 4 ? 'ipv4_addr' : 'ipv6_addr', addressToBits(address));
}
