import { bitsToAddress } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import { asRecord, asText, nftNode } from '../parse/nft-node.ts';
import { renderNftExpression } from '../parse/nft-rule-text.ts';
import { hasEntry } from './nftables-ct.ts';
import type { NftAlternative, NftDatum, NftType } from './nftables-datum.ts';
import { evaluateExpression } from './nftables-expression.ts';
import { evaluatePayload } from './nftables-payload.ts';
import type { NftScope, NftState } from './nftables-state.ts';

/** One way in which a `mangle` statement leaves the packet. */
interface MangleChoice {
  /** Undefined: the packet has no such field, or the value's map has no such key; the rule is left. */
  readonly state: NftState | undefined;
  readonly chance: NftAlternative['chance'];
  readonly fork?: 'random' | 'undecided';
  /** What was set and is not modelled, in nft's words. */
  readonly features: readonly string[];
}

/** `KEY set VALUE` (libnftables-json(5) "mangle"): marks, zone, header fields, MSS. */
export function mangleChoices(body: unknown, scope: NftScope): readonly MangleChoice[] {
  const { key, value } = asRecord(body) ?? {};
  const what = `${renderNftExpression(key)} set ${renderNftExpression(value)}`;
  return evaluateExpression(value, scope, valueType(key, scope)).map(({ datum, ...likelihood }) => {
    if (datum.kind === 'absent') return { ...likelihood, state: undefined, features: [] };
    return { ...likelihood, ...written(key, datum, scope, what) };
  });
}

type Written = Pick<MangleChoice, 'state' | 'features'>;

function valueType(key: unknown, scope: NftScope): NftType {
  const node = nftNode(key);
  const name = asText(asRecord(node?.body)?.key ?? asRecord(node?.body)?.field);
  if (name === 'mark') return 'mark';
  if (name === 'saddr' || name === 'daddr') return scope.input.family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  if (name === 'sport' || name === 'dport') return 'inet_service';
  return name === 'dscp' || name === 'ecn' ? name : 'integer';
}

function written(key: unknown, value: NftDatum, scope: NftScope, what: string): Written {
  const node = nftNode(key);
  const body = asRecord(node?.body) ?? {};
  switch (node?.kind) {
    case 'meta':
      return body.key === 'mark' ? setMark(scope.state, 'mark', value, what) : { state: scope.state, features: [] };
    case 'ct':
      return setCt(body, value, scope.state, what);
    case 'payload':
      return setPayload(body, value, scope, what);
    case 'tcp option':
      return setMss(body, value, scope.state, what);
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

function setCt(body: Readonly<Record<string, unknown>>, value: NftDatum, state: NftState, what: string): Written {
  if (body.key === 'mark') return hasEntry(state) ? setMark(state, 'connmark', value, what) : { state, features: [] };
  // A zone can be set only before conntrack has seen the packet (the `raw` priority).
  if (body.key !== 'zone' || state.meta.conntrack !== 'none') return { state, features: [] };
  if (value.kind !== 'number') return { state, features: [what] };
  return { state: { ...state, meta: { ...state.meta, zone: Number(value.value) } }, features: [] };
}

function setPayload(body: Readonly<Record<string, unknown>>, value: NftDatum, scope: NftScope, what: string): Written {
  const { state } = scope;
  if (evaluatePayload(body, scope, what).kind === 'absent') return { state: undefined, features: [] };
  const packet = value.kind === 'number' ? withField(state.packet, asText(body.field) ?? '', value.value) : undefined;
  return packet ? { state: { ...state, packet }, features: [] } : { state, features: [what] };
}

function withField(packet: Packet, field: string, value: bigint): Packet | undefined {
  const { ip, l4 } = packet;
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
    case 'sport':
      return 'sourcePort' in l4 ? { ...packet, l4: { ...l4, sourcePort: Number(value) } } : undefined;
    case 'dport':
      return 'sourcePort' in l4 ? { ...packet, l4: { ...l4, destinationPort: Number(value) } } : undefined;
    default:
      return undefined;
  }
}

/** The kernel only ever lowers an MSS (nft_exthdr_tcp_set_eval in net/netfilter/nft_exthdr.c). */
function setMss(body: Readonly<Record<string, unknown>>, value: NftDatum, state: NftState, what: string): Written {
  const { l4 } = state.packet;
  if (l4.protocol !== 'tcp') return { state: undefined, features: [] };
  if (body.name !== 'maxseg') return { state, features: [what] };
  if (l4.mss === undefined) {
    const carries = l4.flags === undefined || l4.flags.includes('syn');
    return carries ? { state, features: [what] } : { state: undefined, features: [] };
  }
  if (value.kind !== 'number') return { state, features: [what] };
  const mss = Math.min(l4.mss, Number(value.value));
  return { state: { ...state, packet: { ...state.packet, l4: { ...l4, mss } } }, features: [] };
}
