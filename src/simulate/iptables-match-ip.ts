import { type Address, addressToBits, familyOf, parseAddress } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import { parsePrefix, prefixMatcher } from '../net/prefix.ts';
import { compileAddrtype } from './iptables-match-addrtype.ts';
import { firstValue, type ModuleTable, perOption, type TruthEvaluator } from './iptables-match-types.ts';
import { protocolNumber } from './iptables-protocols.ts';
import { truth } from './truth.ts';

/** The built-in selectors of ip_tables and ip6_tables (iptables(8), PARAMETERS), and the modules about addresses. */
export const IP_MODULES: ModuleTable = {
  ip: perOption({
    s: (option) => packetAddressTest(firstValue(option), (packet) => packet.ip.source),
    d: (option) => packetAddressTest(firstValue(option), (packet) => packet.ip.destination),
    i: (option) => deviceTest(firstValue(option), (input) => input.input),
    o: (option) => deviceTest(firstValue(option), (input) => input.output),
    p: (option) => protocolTest(firstValue(option)),
    f: () => (input) => truth((input.packet.ip.fragmentOffset ?? 0) > 0),
    // ip6tables -4, iptables -6: such a rule is left out on restore, and never printed.
  }),
  iprange: perOption({
    'src-range': (option) => rangeTest(firstValue(option), (packet) => packet.ip.source),
    'dst-range': (option) => rangeTest(firstValue(option), (packet) => packet.ip.destination),
  }),
  addrtype: compileAddrtype,
};

/** `ADDRESS`, `ADDRESS/LENGTH`, or a mask that is no prefix (`10.0.0.1/255.0.0.255`); undefined where it is none. */
export function addressMatcher(text: string | undefined): ((address: Address) => boolean) | undefined {
  const prefix = parsePrefix(text ?? '');
  if (prefix) return prefixMatcher(prefix);
  const [address, mask] = (text ?? '').split('/');
  const wanted = parseAddress(address ?? '');
  const bits = parseAddress(mask ?? '');
  if (!wanted || !bits || familyOf(wanted) !== familyOf(bits)) return undefined;
  const maskBits = addressToBits(bits);
  const wantedBits = addressToBits(wanted) & maskBits;
  return (one) => familyOf(one) === familyOf(wanted) && (addressToBits(one) & maskBits) === wantedBits;
}

/** The one address that is meant, if it is one. */
function hostOf(text: string | undefined): Address | undefined {
  const prefix = parsePrefix(text ?? '');
  return prefix && prefix.length === (familyOf(prefix.address) === 4 ? 32 : 128) ? prefix.address : undefined;
}

function packetAddressTest(text: string | undefined, pick: (packet: Packet) => Address): TruthEvaluator | undefined {
  const host = hostOf(text);
  if (host !== undefined) return ({ packet }) => truth(pick(packet) === host);
  const matches = addressMatcher(text);
  return matches && (({ packet }) => truth(matches(pick(packet))));
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

/** 0 and `all` are any protocol. A packet of a number that has a name of its own here is compared by the number. */
function protocolTest(name: string | undefined): TruthEvaluator | undefined {
  const number = name === undefined ? undefined : protocolNumber(name);
  if (number === 0) return () => 'yes';
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
