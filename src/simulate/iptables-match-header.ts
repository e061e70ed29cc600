import { familyOf } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import {
  ALWAYS,
  firstValue,
  type ModuleTable,
  maskedValue,
  numberOf,
  perOption,
  rangeOf,
  type TruthEvaluator,
} from './iptables-match-types.ts';
import { truth } from './truth.ts';

/** Modules that look at other header fields (iptables-extensions(8): ttl, hl, tos, dscp, length, tcpmss, mac, pkttype). */
export const HEADER_MODULES: ModuleTable = {
  ttl: perOption({
    'ttl-eq': (option) => hopsTest(firstValue(option), (ttl, wanted) => ttl === wanted),
    'ttl-lt': (option) => hopsTest(firstValue(option), (ttl, wanted) => ttl < wanted),
    'ttl-gt': (option) => hopsTest(firstValue(option), (ttl, wanted) => ttl > wanted),
  }),
  hl: perOption({
    'hl-eq': (option) => hopsTest(firstValue(option), (ttl, wanted) => ttl === wanted),
    'hl-lt': (option) => hopsTest(firstValue(option), (ttl, wanted) => ttl < wanted),
    'hl-gt': (option) => hopsTest(firstValue(option), (ttl, wanted) => ttl > wanted),
  }),
  tos: perOption({
    tos: (option) => {
      const wanted = maskedValue(firstValue(option));
      return wanted && (({ packet }) => truth((packet.ip.tos & wanted.mask & 0xff) === wanted.value));
    },
  }),
  dscp: perOption({
    dscp: (option) => {
      const wanted = numberOf(firstValue(option));
      return wanted === undefined ? undefined : ({ packet }) => truth(packet.ip.tos >> 2 === wanted);
    },
  }),
  length: perOption({
    length: (option) => {
      const range = rangeOf(firstValue(option), ':', 65535);
      return (
        range &&
        (({ packet }) => {
          const length = measuredLength(packet);
          return truth(length >= range.from && length <= range.to);
        })
      );
    },
  }),
  tcpmss: perOption({
    mss: (option) => {
      const range = rangeOf(firstValue(option), ':', 65535);
      return (
        range &&
        (({ packet: { l4 } }) => {
          if (l4.protocol !== 'tcp' || !('sourcePort' in l4)) return 'no';
          return l4.mss === undefined ? 'unknown' : truth(l4.mss >= range.from && l4.mss <= range.to);
        })
      );
    },
  }),
  mac: perOption({
    'mac-source': (option) => {
      const wanted = firstValue(option)?.toLowerCase();
      if (wanted === undefined) return undefined;
      return ({ packet, input }) => {
        if (input === undefined || input === 'lo') return 'no';
        return packet.macs ? truth(packet.macs.source === wanted) : 'unknown';
      };
    },
  }),
  pkttype: perOption({
    'pkt-type': (option) => {
      const wanted = firstValue(option);
      if (wanted === undefined || !['unicast', 'broadcast', 'multicast'].includes(wanted)) return undefined;
      return ({ packet }) => truth(packetType(packet) === wanted);
    },
  }),
  comment: ALWAYS,
  nfacct: ALWAYS,
};

function hopsTest(
  text: string | undefined,
  compare: (ttl: number, wanted: number) => boolean,
): TruthEvaluator | undefined {
  const wanted = numberOf(text);
  return wanted === undefined ? undefined : ({ packet }) => truth(compare(packet.ip.ttl, wanted));
}

/** IPv4: the total length; IPv6: the payload without the 40 bytes of header (xt_length.c). */
function measuredLength(packet: Packet): number {
  return familyOf(packet.ip.source) === 4 ? packet.lengthBytes : packet.lengthBytes - 40;
}

function packetType(packet: Packet): 'unicast' | 'broadcast' | 'multicast' {
  const { destination } = packet.ip;
  if (packet.macs?.destination === 'ff:ff:ff:ff:ff:ff' || destination === '255.255.255.255') return 'broadcast';
  const first = Number(destination.split('.')[0]);
  if (destination.includes(':')) return destination.startsWith('ff') ? 'multicast' : 'unicast';
  return first >= 224 && first < 240 ? 'multicast' : 'unicast';
}
