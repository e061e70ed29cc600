import { parseIpv4 } from '../net/address.ts';
import { asRecord, asText, nftNode } from '../parse/nft-node.ts';
import type { NftType } from './nftables-datum.ts';
import { setNamed } from './nftables-expression.ts';
import { findExactly } from './nftables-set.ts';
import { type NftScope, protocolOf } from './nftables-state.ts';

/*
 * Keys of look-ups, made ready once for the fields that most rules look at: each gives its text in a set's index
 * (nftables-set-key.ts) straight from the packet. 'absent': the packet has no such field; undefined: let the readable evaluator see.
 */

export interface ReadyPart {
  readonly type: NftType;
  readonly read: (scope: NftScope) => string | undefined;
}

export interface ReadyKey {
  readonly types: readonly NftType[];
  readonly isConcat: boolean;
  readonly read: (scope: NftScope) => string | undefined;
}

export const ABSENT_KEY = 'absent';

/** Undefined where some part of the key is not one of these fields. */
export function readyKey(expression: unknown): ReadyKey | undefined {
  const node = nftNode(expression);
  if (node?.kind !== 'concat') {
    const part = readyPart(expression);
    return part && { types: [part.type], isConcat: false, read: part.read };
  }
  if (!Array.isArray(node.body)) return undefined;
  const parts = node.body.map(readyPart);
  if (!parts.every((part) => part !== undefined)) return undefined;
  return { types: parts.map(({ type }) => type), isConcat: true, read: (scope) => joined(parts, scope) };
}

function joined(parts: readonly ReadyPart[], scope: NftScope): string | undefined {
  let key = '';
  let isAbsent = false;
  for (const { read } of parts) {
    const one = read(scope);
    if (one === undefined) return undefined;
    isAbsent ||= one === ABSENT_KEY;
    key += `${one}|`;
  }
  return isAbsent ? ABSENT_KEY : key;
}

export function readyPart(expression: unknown): ReadyPart | undefined {
  const node = nftNode(expression);
  const body = asRecord(node?.body);
  if (!body) return undefined;
  if (node?.kind === 'meta') {
    return body.key === 'l4proto' ? { type: 'inet_proto', read: protocolKey } : undefined;
  }
  if (node?.kind !== 'payload' || Object.keys(body).length !== 2) return undefined;
  const field = asText(body.field);
  switch (body.protocol) {
    case 'ip':
      return addressPart(field, 4);
    case 'th':
      return portPart(field);
    default:
      return undefined;
  }
}

function protocolKey({ input, state }: NftScope): string {
  return input.arp ? ABSENT_KEY : String(protocolOf(state.packet.l4));
}

function addressPart(field: string | undefined, family: 4 | 6): ReadyPart | undefined {
  const name = field === 'saddr' ? 'source' : field === 'daddr' ? 'destination' : undefined;
  if (name === undefined) return undefined;
  return {
    type: family === 4 ? 'ipv4_addr' : 'ipv6_addr',
    read: ({ input, state }) => {
      if (input.arp || input.family !== family) return ABSENT_KEY;
      const address = state.packet.ip[name];
      return parseIpv4(address) === undefined ? undefined : address;
    },
  };
}

function portPart(field: string | undefined): ReadyPart | undefined {
  const name = field === 'sport' ? 'sourcePort' : field === 'dport' ? 'destinationPort' : undefined;
  if (name === undefined) return undefined;
  return {
    type: 'inet_service',
    read: ({ input, state: { packet } }) => {
      const { l4, ip } = packet;
      if (input.arp || (ip.fragmentOffset ?? 0) > 0 || !('sourcePort' in l4)) return undefined;
      const port = l4[name];
      return typeof port === 'number' ? String(port) : undefined;
    },
  };
}

/** What a named set or map, or a set in the rule itself, has for the key: an element, `none`, or undefined where it is not that simple. */
export function elementFor(data: unknown, key: ReadyKey, text: string, scope: NftScope): unknown {
  if (typeof data !== 'string' || !data.startsWith('@')) {
    const listed = nftNode(data)?.body;
    return nftNode(data)?.kind === 'set' && Array.isArray(listed)
      ? findExactly(listed, key.types, key.isConcat, text)
      : undefined;
  }
  // What rules have added meanwhile is no part of the listing.
  if ((scope.input.touched?.length ?? 0) > 0 || scope.state.touched.length > 0) return undefined;
  const set = setNamed(scope.table, data.slice(1));
  return set && !set.terse ? findExactly(set.elements, key.types, key.isConcat, text) : undefined;
}
