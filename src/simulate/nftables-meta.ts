import type { Link } from '../parse/ip-link.ts';
import { asRecord, asText } from '../parse/nft-node.ts';
import { linkNamed } from './hook-input.ts';
import { ABSENT, indexOf, type NftDatum, nameOf, notKnown, numberOf } from './nftables-datum.ts';
import { evaluatePacketType } from './nftables-packet-type.ts';
import { type NftScope, protocolOf } from './nftables-state.ts';

/** ARPHRD_* by iproute2's names (include/uapi/linux/if_arp.h). */
const LINK_TYPES: Readonly<Record<string, number>> = {
  ether: 1,
  ppp: 512,
  ipip: 768,
  tunnel6: 769,
  loopback: 772,
  sit: 776,
  gre: 778,
  gre6: 823,
  none: 65534,
};

/** NFPROTO_* of the layers outside of IP (include/uapi/linux/netfilter.h). */
const LAYER_PROTOCOLS = { bridge: 7, netdev: 5 } as const;

/** `meta` (nft(8) "Meta expressions", net/netfilter/nft_meta.c and net/bridge/netfilter/nft_meta_bridge.c). */
export function evaluateMeta(body: unknown, scope: NftScope, what: string): NftDatum {
  const { input, state, table } = scope;
  const key = asText(asRecord(body)?.key ?? body) ?? '';
  switch (key) {
    case 'mark':
      return state.doubtfulMarks.includes('mark') ? notKnown(what) : numberOf('mark', state.meta.mark);
    case 'l4proto':
      return input.arp ? ABSENT : numberOf('inet_proto', protocolOf(state.packet.l4));
    case 'nfproto':
      if (input.arp) return numberOf('nf_proto', 3);
      if (table.family === 'bridge' || table.family === 'netdev') {
        return numberOf('nf_proto', LAYER_PROTOCOLS[table.family]);
      }
      return numberOf('nf_proto', input.family === 4 ? 2 : 10);
    case 'protocol':
      if (input.arp) return numberOf('ether_type', 0x0806);
      return numberOf('ether_type', input.family === 4 ? 0x0800 : 0x86dd);
    case 'length':
      if (input.arp) return numberOf('integer', 28);
      // On its way out the frame's header is already there (skb_push before dev_queue_xmit).
      return numberOf('integer', state.packet.lengthBytes + (input.hook === 'egress' ? 14 : 0));
    case 'pkttype':
      return evaluatePacketType(scope, what);
    case 'skuid':
    case 'skgid':
    case 'cgroup':
      return ownerDatum(key, scope, what);
    case 'ipsec':
    case 'secpath':
      // A packet that a transformation (ESP, AH) has unwrapped would not be walked to here.
      return numberOf('integer', 0);
    case 'rtclassid':
      return input.hook === 'prerouting' || input.hook === 'ingress' ? ABSENT : notKnown(what);
    case 'ibrname':
    case 'obrname':
      return bridgeName(key === 'ibrname' ? input.input : input.output, scope);
    default:
      return deviceDatum(key, scope, what);
  }
}

/** Is there a socket on the packet (skb_to_full_sk), and whose? One of this namespace's own sockets sent it. */
function ownerDatum(key: 'skuid' | 'skgid' | 'cgroup', scope: NftScope, what: string): NftDatum {
  const { input, state } = scope;
  switch (input.hook) {
    case 'output':
    case 'postrouting':
    case 'egress': {
      if (!input.socket) return input.hook === 'egress' ? notKnown(what) : ABSENT;
      if (isKernelsOwn(scope)) return ABSENT;
      const owner = key === 'skuid' ? input.socket.uid : key === 'skgid' ? input.socket.gid : undefined;
      return owner === undefined ? notKnown(what) : numberOf('uid', owner);
    }
    case 'input':
      // Early demultiplexing finds the socket of a connection (ip_rcv_finish_core), and none for a first packet.
      return state.meta.conntrack === 'new' && state.packet.l4.protocol === 'tcp' ? ABSENT : notKnown(what);
    default:
      return ABSENT;
  }
}

/** ICMP's errors and echo replies come from a socket of the kernel's, which has no file and so no owner. */
function isKernelsOwn({ state }: NftScope): boolean {
  const { l4 } = state.packet;
  if (!('type' in l4)) return false;
  return l4.protocol === 'icmp' ? l4.type !== 8 : l4.type !== 128;
}

/** The bridge that the port belongs to; a device that is none leaves the rule. */
function bridgeName(port: string | undefined, scope: NftScope): NftDatum {
  if (scope.input.layer?.kind !== 'bridge' || port === undefined) return ABSENT;
  return nameOf(scope.input.layer.bridge);
}

const DEVICE_KEY = /^(?<side>[io])if(?<what>|name|type|kind|group)$/;

function deviceDatum(key: string, scope: NftScope, what: string): NftDatum {
  const { input } = scope;
  if (key === 'sdif' || key === 'sdifname') return slaveDatum(key, scope, what);
  const asked = DEVICE_KEY.exec(key)?.groups;
  if (!asked) return notKnown(what);
  const name = asked.side === 'i' ? input.input : input.output;
  if (asked.what === 'name') return nameOf(name ?? '');
  if (name === undefined) return asked.what === '' ? indexOf('', 0) : ABSENT;
  const link = linkNamed(input.snapshot, input.place, name);
  if (asked.what === '') return indexOf(name, link?.index);
  return link ? propertyOf(link, asked.what!, what) : notKnown(what);
}

function propertyOf(link: Link, property: string, what: string): NftDatum {
  if (property === 'kind') return link.kind === undefined ? ABSENT : nameOf(link.kind);
  if (property === 'type') {
    const type = LINK_TYPES[link.type];
    return type === undefined ? notKnown(what) : numberOf('arphrd', type);
  }
  const group = link.group ?? 'default';
  if (group === 'default') return numberOf('devgroup', 0);
  return /^\d+$/.test(group) ? numberOf('devgroup', BigInt(group)) : nameOf(group);
}

/** The device by which a packet came into a VRF; none without one. */
function slaveDatum(key: 'sdif' | 'sdifname', { input }: NftScope, what: string): NftDatum {
  const link = linkNamed(input.snapshot, input.place, input.input);
  const master = linkNamed(input.snapshot, input.place, link?.master);
  if (!link || (link.master !== undefined && !master) || master?.kind === 'vrf' || link.kind === 'vrf') {
    return notKnown(what);
  }
  return key === 'sdif' ? indexOf('', 0) : nameOf('');
}
