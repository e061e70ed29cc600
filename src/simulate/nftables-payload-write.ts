import { bitsToAddress } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import { asNumber, asText } from '../parse/nft-node.ts';
import type { NftDatum } from './nftables-datum.ts';
import { fieldAt, fieldOf } from './nftables-fields.ts';
import type { Written } from './nftables-mangle.ts';
import { carriedProtocols, evaluatePayload } from './nftables-payload.ts';
import type { NftScope } from './nftables-state.ts';
import { TCP_FLAGS } from './nftables-symbols.ts';

/** Fields that the packet goes its way without: nobody who forwards it looks at them. */
const INDIFFERENT: ReadonlySet<string> = new Set([
  'id',
  'checksum',
  'flowlabel',
  'sequence',
  'ackseq',
  'window',
  'urgptr',
  'reserved',
  'mtu',
  'gateway',
  'vtag',
  'max-delay',
  'taddr',
]);

/** Fields that decide where it goes. With a value that is not known the packet is not known any more. */
const DECISIVE: ReadonlySet<string> = new Set([
  'saddr',
  'daddr',
  'sport',
  'dport',
  'type',
  'code',
  'flags',
  'frag-off',
]);

/** `PAYLOAD set VALUE` (nft_payload_set_eval). A packet without the field leaves the rule. */
export function writePayload(
  body: Readonly<Record<string, unknown>>,
  value: NftDatum,
  scope: NftScope,
  what: string,
): Written {
  const { state } = scope;
  if (evaluatePayload(body, scope, what).kind === 'absent') return { state: undefined, features: [] };
  const field = namedField(body, state.packet);
  if (field && INDIFFERENT.has(field.name)) return { state, features: [what] };
  if (!field || value.kind !== 'number' || value.undecided) {
    const lost = !field || DECISIVE.has(field.name) ? { lost: true as const } : {};
    return { state, features: [what], ...lost };
  }
  const packet = withField(state.packet, field.protocol, field.name, value.value);
  return packet ? { state: { ...state, packet }, features: [] } : { state, features: [what], lost: true };
}

function namedField(
  body: Readonly<Record<string, unknown>>,
  packet: Packet,
): { readonly protocol: string; readonly name: string } | undefined {
  const protocols = carriedProtocols(packet);
  if (body.base !== undefined) {
    return fieldAt(protocols, asText(body.base) ?? '', asNumber(body.offset) ?? -1, asNumber(body.len) ?? -1);
  }
  const protocol = asText(body.protocol) ?? '';
  const name = asText(body.field) ?? '';
  if (protocol !== 'th') return { protocol, name };
  // Whatever header the packet has there.
  const field = fieldOf('th', name);
  if (name === 'sport' && 'type' in packet.l4) return { protocol: 'icmp', name: 'type and code' };
  return field && fieldAt(protocols, 'th', field.offset, field.length);
}

/** Undefined where the packet would be a broken one, or the field is none that the walk knows. */
function withField(packet: Packet, protocol: string, field: string, value: bigint): Packet | undefined {
  if (protocol === 'ether') return withFrameField(packet, field, value);
  if (protocol === 'ip' || protocol === 'ip6') return withNetworkField(packet, field, value);
  const { l4 } = packet;
  if ((field === 'sport' || field === 'dport') && 'sourcePort' in l4) {
    const { chosenFrom: _, ...rest } = l4;
    if (field === 'dport') return { ...packet, l4: { ...l4, destinationPort: Number(value) } };
    return { ...packet, l4: { ...rest, sourcePort: Number(value) } };
  }
  if (protocol === 'tcp' && field === 'flags' && l4.protocol === 'tcp') {
    const flags = Object.keys(TCP_FLAGS).filter((flag) => (Number(value) & TCP_FLAGS[flag]!) !== 0);
    return { ...packet, l4: { ...l4, flags } };
  }
  if ('type' in l4 && field === 'type and code') {
    return { ...packet, l4: { ...l4, type: Number(value >> 8n), code: Number(value & 0xffn) } };
  }
  if ('type' in l4 && (field === 'type' || field === 'code' || field === 'id')) {
    return { ...packet, l4: { ...l4, [field]: Number(value) } };
  }
  return undefined;
}

function withFrameField(packet: Packet, field: string, value: bigint): Packet | undefined {
  const { macs } = packet;
  const end = field === 'saddr' ? 'source' : field === 'daddr' ? 'destination' : undefined;
  if (!macs || !end) return undefined;
  const mac = value.toString(16).padStart(12, '0').match(/../g)!.join(':');
  return { ...packet, macs: { ...macs, [end]: mac } };
}

function withNetworkField(packet: Packet, field: string, value: bigint): Packet | undefined {
  const { ip } = packet;
  const family = ip.source.includes(':') ? 6 : 4;
  switch (field) {
    case 'ttl':
    case 'hoplimit':
      return { ...packet, ip: { ...ip, ttl: Number(value) } };
    case 'dscp':
      return { ...packet, ip: { ...ip, tos: (Number(value) << 2) | (ip.tos & 3) } };
    case 'ecn':
      return { ...packet, ip: { ...ip, tos: (ip.tos & ~3) | Number(value) } };
    case 'saddr':
      return { ...packet, ip: { ...ip, source: bitsToAddress(value, family) } };
    case 'daddr':
      return { ...packet, ip: { ...ip, destination: bitsToAddress(value, family) } };
    case 'frag-off':
      // More fragments or an offset make it a fragment of nothing.
      return (value & 0x3fffn) === 0n ? { ...packet, ip: { ...ip, df: (value & 0x4000n) !== 0n } } : undefined;
    default:
      return undefined;
  }
}
