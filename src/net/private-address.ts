import type { Address } from './address.ts';
import { parsePrefix, prefixMatcher } from './prefix.ts';

/** RFC 1918, RFC 6598 (shared), RFC 3927 and RFC 4291 (link-local), RFC 4193 (unique local). */
const PRIVATE = [
  '10.0.0.0/8',
  '172.16.0.0/12',
  '192.168.0.0/16',
  '100.64.0.0/10',
  '169.254.0.0/16',
  'fc00::/7',
  'fe80::/10',
].map((text) => prefixMatcher(parsePrefix(text)!));

/** An address that the internet routes nobody's answers to. */
export function isPrivate(address: Address): boolean {
  return PRIVATE.some((matches) => matches(address));
}
