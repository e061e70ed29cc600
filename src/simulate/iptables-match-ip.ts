import { type Address, addressToBits, parseAddress } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import { parsePrefix, prefixContains } from '../net/prefix.ts';
import { firstValue, type ModuleTable, perOption, type TruthEvaluator } from './iptables-match-types.ts';
import { truth } from './truth.ts';

/** The built-in selectors of ip_tables and ip6_tables (iptables(8), PARAMETERS), and the modules about addresses. */
export const IP_MODULES: ModuleTable = {
  ip: perOption({
    s: (option) => addressTest(firstValue(option), (packet) => packet.ip.source),
    d: (option) => addressTest(firstValue(option), (packet) => packet.ip.destination),
    i: (option) => deviceTest(firstValue(option), (input) => input.input),
    o: (option) => deviceTest(firstValue(option), (input) => input.output),
    p: (option) => protocolTest(firstValue(option)),
    f: () => (input) => truth((input.packet.ip.fragmentOffset ?? 0) > 0),
  }),
  iprange: perOption({
    'src-range': (option) => rangeTest(firstValue(option), (packet) => packet.ip.source),
    'dst-range': (option) => rangeTest(firstValue(option), (packet) => packet.ip.destination),
  }),
  addrtype: (match) => {
    const onInput = match.options.some((option) => option.name === 'limit-iface-in');
    const onOutput = match.options.some((option) => option.name === 'limit-iface-out');
    const typeTest = (text: string | undefined, pick: (packet: Packet) => Address): TruthEvaluator | undefined => {
      const types = (text ?? '').split(',').map((type) => type.toLowerCase());
      if (types.some((type) => !ADDRESS_TYPES.has(type))) return undefined;
      return (input) => {
        const device = onInput ? input.input : onOutput ? input.output : undefined;
        const type = input.addressType(pick(input.packet), device);
        return type === 'unknown' ? 'unknown' : truth(types.includes(type));
      };
    };
    return perOption({
      'src-type': (option) => typeTest(firstValue(option), (packet) => packet.ip.source),
      'dst-type': (option) => typeTest(firstValue(option), (packet) => packet.ip.destination),
      'limit-iface-in': () => () => 'yes',
      'limit-iface-out': () => () => 'yes',
    })(match);
  },
};

const ADDRESS_TYPES = new Set([
  'unicast',
  'local',
  'broadcast',
  'multicast',
  'anycast',
  'blackhole',
  'unreachable',
  'prohibit',
]);

/** Also a mask that is no prefix (`10.0.0.1/255.0.0.255`). */
function addressTest(text: string | undefined, pick: (packet: Packet) => Address): TruthEvaluator | undefined {
  const prefix = parsePrefix(text ?? '');
  if (prefix) return (input) => truth(prefixContains(prefix, pick(input.packet)));
  const [address, mask] = (text ?? '').split('/');
  const wanted = parseAddress(address ?? '');
  const bits = parseAddress(mask ?? '');
  if (!wanted || !bits) return undefined;
  const maskBits = addressToBits(bits);
  return (input) => truth((addressToBits(pick(input.packet)) & maskBits) === (addressToBits(wanted) & maskBits));
}

/** A trailing `+` stands for any rest; no device is the empty name (ip_packet_match in ip_tables.c). */
function deviceTest(
  name: string | undefined,
  pick: (input: { input?: string; output?: string }) => string | undefined,
): TruthEvaluator | undefined {
  if (name === undefined) return undefined;
  if (name.endsWith('+')) return (input) => truth((pick(input) ?? '').startsWith(name.slice(0, -1)));
  return (input) => truth((pick(input) ?? '') === name);
}

const PROTOCOL_NUMBERS: Readonly<Record<string, number>> = {
  icmp: 1,
  tcp: 6,
  udp: 17,
  dccp: 33,
  gre: 47,
  esp: 50,
  ah: 51,
  icmpv6: 58,
  'ipv6-icmp': 58,
  sctp: 132,
  udplite: 136,
  ipip: 4,
  ipencap: 4,
  ipv6: 41,
  ospf: 89,
  vrrp: 112,
  igmp: 2,
};

export function protocolNumber(name: string | number): number | undefined {
  if (typeof name === 'number') return name;
  if (/^\d+$/.test(name)) return Number(name);
  return Object.hasOwn(PROTOCOL_NUMBERS, name.toLowerCase()) ? PROTOCOL_NUMBERS[name.toLowerCase()] : undefined;
}

function protocolTest(name: string | undefined): TruthEvaluator | undefined {
  if (name === 'all' || name === '0') return () => 'yes';
  const number = name === undefined ? undefined : protocolNumber(name);
  return number === undefined ? undefined : (input) => truth(protocolNumber(input.packet.l4.protocol) === number);
}

function rangeTest(text: string | undefined, pick: (packet: Packet) => Address): TruthEvaluator | undefined {
  const [first, last] = (text ?? '').split('-');
  const from = parseAddress(first ?? '');
  const to = parseAddress(last ?? first ?? '');
  if (!from || !to) return undefined;
  return (input) => {
    const bits = addressToBits(pick(input.packet));
    return truth(bits >= addressToBits(from) && bits <= addressToBits(to));
  };
}
