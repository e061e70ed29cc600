import { parseAddress } from '../net/address.ts';

/**
 * Numbers by which a rule about one address or one port is found without looking at all rules. Different addresses may
 * have the same key (an IPv6 address is more than a number): a key finds candidates, the rule's own match decides.
 */
export function addressKey(address: string): number {
  if (!address.includes(':')) return keyOfDottedQuad(address);
  let key = 0x811c9dc5;
  for (let at = 0; at < address.length; at++) key = Math.imul(key ^ address.charCodeAt(at), 0x01000193);
  return key >>> 0;
}

function keyOfDottedQuad(address: string): number {
  let key = 0;
  let octet = 0;
  for (let at = 0; at < address.length; at++) {
    const code = address.charCodeAt(at);
    if (code === DOT) {
      key = key * 256 + octet;
      octet = 0;
    } else octet = octet * 10 + (code - ZERO);
  }
  return key * 256 + octet;
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

const DOT = 46;
const ZERO = 48;
