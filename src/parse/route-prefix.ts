import type { Family } from '../net/address.ts';
import { type Prefix, parsePrefix, prefixFamily } from '../net/prefix.ts';

/** A route's destination or source as iproute2 writes it: `default` is the whole family. Undefined: no prefix of it. */
export function routePrefix(text: string | undefined, family: Family): Prefix | undefined {
  if (text === undefined) return undefined;
  if (text === 'default' || text === 'all') return { address: family === 4 ? '0.0.0.0' : '::', length: 0 };
  const prefix = parsePrefix(text);
  return prefix && prefixFamily(prefix) === family ? prefix : undefined;
}
