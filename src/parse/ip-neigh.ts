import { type Address, parseAddress } from '../net/address.ts';
import { type JsonObject, parseItems, stringOf, stringsOf } from './json-items.ts';
import type { Parsed } from './parsed.ts';
import { looksLikeJson, parseLines } from './text-lines.ts';

/*
 * Format: `ip -d -j neigh show` and `ip -d -j neigh show proxy`, one after the other, or their text form.
 * Source of truth: ip-neighbour(8), iproute2's ip/ipneigh.c (print_neigh).
 * Versions seen: iproute2 6.1 (JSON and text); 4.18 by its source.
 * Not understood: cache statistics (`-s`), extern_learn and router, which are left out.
 */

/** One neighbour entry: `ip -j -d neigh show` (ip-neighbour(8)). */
export interface Neighbour {
  readonly address: Address;
  readonly device: string;
  readonly mac?: string;
  /** PERMANENT, REACHABLE, STALE, DELAY, PROBE, FAILED, INCOMPLETE, NOARP, NONE */
  readonly states: readonly string[];
  /** A proxy entry (`ip neigh show proxy`). */
  readonly proxy: boolean;
  readonly text: string;
}

const STATES = new Set(['PERMANENT', 'REACHABLE', 'STALE', 'DELAY', 'PROBE', 'FAILED', 'INCOMPLETE', 'NOARP', 'NONE']);

export function parseIpNeigh(text: string): Parsed<readonly Neighbour[]> {
  return looksLikeJson(text) ? parseItems(text, neighbourOfJson) : parseLines(text, parseIpNeighLine);
}

function neighbourOfJson(item: JsonObject): Neighbour | undefined {
  const address = typeof item.dst === 'string' ? parseAddress(item.dst) : undefined;
  const device = stringOf(item.dev);
  if (!address || device === undefined) return undefined;
  const mac = stringOf(item.lladdr)?.toLowerCase();
  return withText({
    address,
    device,
    ...(mac !== undefined && { mac }),
    states: typeof item.state === 'string' ? [item.state] : stringsOf(item.state),
    proxy: 'proxy' in item && item.proxy !== false,
  });
}

/** One entry in `ip neigh`'s text syntax; also `nud permanent` as `ip neigh add` has it. */
export function parseIpNeighLine(line: string): Neighbour | undefined {
  const words = line.trim().split(/\s+/);
  let proxy = words[0] === 'proxy';
  const address = parseAddress(words[proxy ? 1 : 0] ?? '');
  if (!address) return undefined;
  let device: string | undefined;
  let mac: string | undefined;
  const states: string[] = [];
  for (let at = proxy ? 2 : 1; at < words.length; at++) {
    const word = words[at]!;
    if (word === 'dev') device = words[++at];
    else if (word === 'lladdr') mac = words[++at]?.toLowerCase();
    else if (word === 'proxy') proxy = true;
    else if (word === 'nud') states.push((words[++at] ?? '').toUpperCase());
    else if (STATES.has(word.toUpperCase())) states.push(word.toUpperCase());
    else if (word !== 'router' && word !== 'extern_learn' && word !== 'managed' && word !== 'extern_valid') {
      return undefined;
    }
  }
  if (device === undefined || device === '' || states.some((state) => !STATES.has(state))) return undefined;
  return withText({ address, device, ...(mac !== undefined && { mac }), states, proxy });
}

function withText(entry: Omit<Neighbour, 'text'>): Neighbour {
  const words: string[] = [entry.address, 'dev', entry.device];
  if (entry.mac !== undefined) words.push('lladdr', entry.mac);
  if (entry.proxy) words.push('proxy');
  words.push(...entry.states);
  return { ...entry, text: words.join(' ') };
}
