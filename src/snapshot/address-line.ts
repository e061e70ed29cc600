import { parseAddress } from '../net/address.ts';
import { parsePrefix } from '../net/prefix.ts';
import type { LinkAddress } from '../parse/ip-link.ts';

/** Words of `ip addr` that stand by themselves and are kept as flags. */
const FLAGS = new Set([
  'secondary',
  'deprecated',
  'tentative',
  'dadfailed',
  'noprefixroute',
  'dynamic',
  'nodad',
  'temporary',
]);

/**
 * One address in the syntax of `ip addr add` (`10.0.0.1/24 dev eth0`) or `ip addr show` (`inet 10.0.0.1/24 brd
 * 10.0.0.255 scope global eth0`), ip-address(8). Undefined where it is neither.
 */
export function parseAddressLine(line: string): { readonly device: string; readonly address: LinkAddress } | undefined {
  const words = line.trim().split(/\s+/);
  if (words[0] === 'inet' || words[0] === 'inet6') words.shift();
  const own = parsePrefix(words.shift() ?? '');
  let peer: ReturnType<typeof parsePrefix>;
  let device: string | undefined;
  let scope = 'global';
  const flags: string[] = [];
  while (words.length > 0) {
    const word = words.shift()!;
    if (FLAGS.has(word)) flags.push(word);
    else if (word === 'dev') device = words.shift();
    else if (word === 'scope') scope = words.shift() ?? '';
    else if (word === 'peer') peer = parsePrefix(words.shift() ?? '');
    else if (word === 'brd' || word === 'broadcast' || word === 'metric' || word === 'label') words.shift();
    else if (words.length === 0 && device === undefined) device = word;
    else return undefined;
  }
  if (!own || device === undefined || scope === '') return undefined;
  const other = peer && parseAddress(peer.address);
  const prefix = peer ? { address: own.address, length: peer.length } : own;
  return { device, address: { prefix, ...(other && { peer: other }), scope, flags } };
}
