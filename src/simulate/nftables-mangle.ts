import { asRecord, asText, nftNode } from '../parse/nft-node.ts';
import { renderNftExpression } from '../parse/nft-rule-text.ts';
import { hasEntry, hasTemplate } from './nftables-ct.ts';
import type { NftAlternative, NftDatum, NftType } from './nftables-datum.ts';
import { evaluateExpression } from './nftables-expression.ts';
import { headerPresence } from './nftables-exthdr.ts';
import { writePayload } from './nftables-payload-write.ts';
import type { NftScope, NftState } from './nftables-state.ts';

/** One way in which a `mangle` statement leaves the packet. */
export interface MangleChoice {
  /** Undefined: the packet has no such field, or the value's map has no such key; the rule is left. */
  readonly state: NftState | undefined;
  /** The packet is something else now, and it is not known what. */
  readonly lost?: true;
  readonly chance: NftAlternative['chance'];
  readonly fork?: 'random' | 'undecided';
  /** What was set and is not modelled, in nft's words. */
  readonly features: readonly string[];
}

export type Written = Pick<MangleChoice, 'state' | 'features' | 'lost'>;

/** `KEY set VALUE` (libnftables-json(5) "mangle"): marks, zone, header fields, MSS. */
export function mangleChoices(body: unknown, scope: NftScope): readonly MangleChoice[] {
  const { key, value } = asRecord(body) ?? {};
  const what = `${renderNftExpression(key)} set ${renderNftExpression(value)}`;
  return evaluateExpression(value, scope, valueType(key, scope)).map(({ datum, ...likelihood }) => {
    if (datum.kind === 'absent') return { ...likelihood, state: undefined, features: [] };
    return { ...likelihood, ...written(key, datum, scope, what) };
  });
}

function valueType(key: unknown, scope: NftScope): NftType {
  const node = nftNode(key);
  const body = asRecord(node?.body);
  const name = asText(body?.key ?? body?.field);
  if (name === 'mark') return 'mark';
  if (name === 'saddr' || name === 'daddr') {
    return body?.protocol === 'ether' ? 'ether_addr' : scope.input.family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  }
  if (name === 'sport' || name === 'dport') return 'inet_service';
  if (name === 'pkttype') return 'pkt_type';
  if (name === 'flags') return 'tcp_flag';
  if (node?.kind === 'payload' && (name === 'type' || name === 'code')) {
    return body?.protocol === 'icmp' ? `icmp_${name}` : body?.protocol === 'icmpv6' ? `icmpv6_${name}` : 'ether_type';
  }
  return name === 'dscp' || name === 'ecn' ? name : 'integer';
}

function written(key: unknown, value: NftDatum, scope: NftScope, what: string): Written {
  const node = nftNode(key);
  const body = asRecord(node?.body) ?? {};
  switch (node?.kind) {
    case 'meta':
      if (body.key === 'mark') return setMark(scope.state, 'mark', value, what);
      // These decide who takes the frame: routed instead of bridged, for this host or another.
      if (body.key === 'broute' || body.key === 'pkttype') return { state: scope.state, features: [what], lost: true };
      // None of the others (priority, nftrace, secmark) changes the packet's way.
      return { state: scope.state, features: [] };
    case 'ct':
      return setCt(body, value, scope.state, what);
    case 'payload':
      return writePayload(body, value, scope, what);
    case 'tcp option':
      return setTcpOption(body, value, scope, what);
    default:
      return { state: scope.state, features: [what] };
  }
}

function setMark(state: NftState, which: 'mark' | 'connmark', value: NftDatum, what: string): Written {
  const others = state.doubtfulMarks.filter((mark) => mark !== which);
  if (value.kind !== 'number' || value.undecided) {
    return { state: { ...state, doubtfulMarks: [...others, which] }, features: [what] };
  }
  const mark = Number(BigInt.asUintN(32, value.value));
  return { state: { ...state, meta: { ...state.meta, [which]: mark }, doubtfulMarks: others }, features: [] };
}

/** What has no entry keeps it so, and the rule goes on (nft_ct_set_eval). */
function setCt(body: Readonly<Record<string, unknown>>, value: NftDatum, state: NftState, what: string): Written {
  switch (body.key) {
    case 'mark':
      return hasEntry(state) ? setMark(state, 'connmark', value, what) : { state, features: [] };
    case 'zone':
      return setZone(asText(body.dir), value, state, what);
    case 'label':
      return { state: hasEntry(state) ? { ...state, labelled: true } : state, features: [] };
    default:
      return { state, features: [] };
  }
}

/** A zone can be set only before conntrack has seen the packet (the `raw` priority), and once (nft_ct_set_zone_eval). */
function setZone(direction: string | undefined, value: NftDatum, state: NftState, what: string): Written {
  if (state.meta.conntrack !== 'none' || hasTemplate(state)) return { state, features: [] };
  if (value.kind !== 'number' || value.undecided) return { state, features: [what], lost: true };
  const { zoneDirection: _, ...meta } = state.meta;
  const zone = Number(BigInt.asUintN(16, value.value));
  const isOneWay = direction === 'original' || direction === 'reply';
  return { state: { ...state, meta: { ...meta, zone, ...(isOneWay && { zoneDirection: direction }) } }, features: [] };
}

/**
 * What is no TCP leaves the rule, a packet without the option is left as it is. The kernel only ever lowers an MSS
 * (nft_exthdr_tcp_set_eval in net/netfilter/nft_exthdr.c).
 */
function setTcpOption(
  body: Readonly<Record<string, unknown>>,
  value: NftDatum,
  scope: NftScope,
  what: string,
): Written {
  const { state } = scope;
  const { l4 } = state.packet;
  if (l4.protocol !== 'tcp' || (state.packet.ip.fragmentOffset ?? 0) > 0) return { state: undefined, features: [] };
  const found = headerPresence('tcp option', body, scope);
  if (found === 'no') return { state, features: [] };
  if (body.name !== 'maxseg' || l4.mss === undefined || value.kind !== 'number') return { state, features: [what] };
  const mss = Math.min(l4.mss, Number(value.value));
  return { state: { ...state, packet: { ...state.packet, l4: { ...l4, mss } } }, features: [] };
}
