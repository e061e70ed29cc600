import { parseAddress, parseIpv4 } from '../net/address.ts';

/**
 * Numbers by which a rule about one address or one port is found without looking at all rules. Different addresses may
 * have the same key (an IPv6 address is more than a number): a key finds candidates, the rule's own match decides.
 */
export function addressKey(address: string): number {
  const four = parseIpv4(address);
  if (four !== undefined) return four;
  let key = 0x811c9dc5;
  for (let at = 0; at < address.length; at++) key = Math.imul(key ^ address.charCodeAt(at), 0x01000193);
  return key >>> 0;
}

/** The key of `ADDRESS`, `ADDRESS/32` or `ADDRESS/128`; undefined for a network and for what is no address. */
export function hostKey(text: string): number | undefined {
  const slash = text.indexOf('/');
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) return undefined;
  if (slash >= 0 && text.slice(slash + 1) !== (address.includes(':') ? '128' : '32')) return undefined;
  return addressKey(address);
}

export const PORT_PROTOCOLS: Readonly<Record<string, number>> = { tcp: 6, udp: 17, sctp: 132 };

/** Of one destination port of one protocol (its number). */
export function portKey(protocol: number, port: number): number {
  return protocol * 65536 + port;
}
