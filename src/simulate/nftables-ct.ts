import { addressToBits, familyOf } from '../net/address.ts';
import { asRecord, asText } from '../parse/nft-node.ts';
import { ABSENT, type NftDatum, notKnown, numberOf } from './nftables-datum.ts';
import { portDatum } from './nftables-payload.ts';
import { type NftScope, type NftState, protocolOf } from './nftables-state.ts';
import { CT_STATE, CT_STATUS } from './nftables-symbols.ts';

/** Bits of `ct status` that no snapshot tells. */
const STATUS_NOT_KNOWN = BigInt(
  CT_STATUS.expected! | CT_STATUS.assured! | CT_STATUS.confirmed! | CT_STATUS['seen-reply']!,
);

/** `ct` (nft(8) "Conntrack expressions", net/netfilter/nft_ct.c). */
export function evaluateCt(body: unknown, scope: NftScope, what: string): NftDatum {
  const { meta } = scope.state;
  const ct = asRecord(body) ?? {};
  const key = (asText(ct.key) ?? '').replace(/^ip6? /, '');
  if (key === 'state') return stateDatum(scope);
  if (!hasEntry(scope.state)) return ABSENT;
  switch (key) {
    case 'status':
      return statusDatum(scope);
    case 'mark':
      return scope.state.doubtfulMarks.includes('connmark') ? notKnown(what) : numberOf('mark', meta.connmark);
    case 'zone':
      return numberOf('integer', meta.zone);
    case 'direction':
      return numberOf('ct_dir', scope.input.connection.reply ? 1 : 0);
    case 'l3proto':
      return numberOf('nf_proto', scope.input.family === 4 ? 2 : 10);
    case 'protocol':
      return numberOf('inet_proto', protocolOf(scope.state.packet.l4));
    default:
      return tupleDatum(key, ct, scope, what);
  }
}

/** Without a conntrack entry every key but the state leaves the rule. */
export function hasEntry(state: NftState): boolean {
  return !['none', 'untracked', 'invalid'].includes(state.meta.conntrack);
}

/** A packet without an entry (before conntrack, or given up by it) counts as invalid, unless it was untracked on purpose. */
function stateDatum(scope: NftScope): NftDatum {
  const { conntrack } = scope.state.meta;
  return numberOf('ct_state', CT_STATE[conntrack === 'none' ? 'invalid' : conntrack]!);
}

function statusDatum(scope: NftScope): NftDatum {
  const { nat } = scope.state.meta;
  const source = nat.includes('source') ? CT_STATUS.snat! : 0;
  const destination = nat.includes('destination') ? CT_STATUS.dnat! : 0;
  return { kind: 'number', type: 'ct_status', value: BigInt(source | destination), undecided: STATUS_NOT_KNOWN };
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
      return portDatum(tuple.sourcePort, what);
    case 'proto-dst':
      return portDatum(tuple.destinationPort, what);
    default:
      return notKnown(what);
  }
}

type Tuple = NftScope['input']['connection']['original'];

/** The tuple of the way back is the other one reversed while no NAT is set up; after that it is not told here. */
function tupleOf(direction: unknown, scope: NftScope): Tuple | undefined {
  const { original } = scope.input.connection;
  if (direction === 'original') return original;
  if (direction !== 'reply' || scope.state.meta.nat.length > 0 || scope.state.nat) return undefined;
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
