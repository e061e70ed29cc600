import { type Address, parseAddress } from '../net/address.ts';
import { type JsonObject, numberOf, parseItems, stringOf, stringsOf } from './json-items.ts';
import type { Parsed } from './parsed.ts';
import { looksLikeJson, parseLines } from './text-lines.ts';

/*
 * Format: `bridge -d -j fdb show`, or its text form.
 * Source of truth: bridge(8), iproute2's bridge/fdb.c (print_fdb), drivers/net/vxlan/vxlan_core.c (vxlan_fdb_info).
 * Versions seen: iproute2 6.1 (JSON and text); 5.x by its source (an unresolved lower device is `viaIfIndex`).
 * Not understood: VXLAN nexthop groups (`nhid`, `dst_nhid`), source VNIs, statistics. An entry with `nhid` has no remote.
 */

/** One forwarding entry of a bridge or VXLAN device: `bridge -j -d fdb show` (bridge(8)). */
export interface FdbEntry {
  readonly mac: string;
  readonly device: string;
  readonly master?: string;
  readonly vlan?: number;
  /** VXLAN: the remote VTEP. */
  readonly remote?: Address;
  readonly port?: number;
  readonly vni?: number;
  readonly via?: string;
  readonly flags: readonly string[]; // self, master, extern_learn …
  readonly state?: string; // permanent, static, …
  readonly text: string;
}

const MAC = /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/;
const FLAGS = new Set(['self', 'router', 'extern_learn', 'offload', 'sticky', 'locked', 'added_by_user']);
const STATES = new Set(['permanent', 'static', 'stale']);

export function parseBridgeFdb(text: string): Parsed<readonly FdbEntry[]> {
  return looksLikeJson(text) ? parseItems(text, entryOfJson) : parseLines(text, parseBridgeFdbLine);
}

function entryOfJson(item: JsonObject): FdbEntry | undefined {
  const mac = stringOf(item.mac)?.toLowerCase();
  const device = stringOf(item.ifname) ?? stringOf(item.dev);
  if (mac === undefined || !MAC.test(mac) || device === undefined) return undefined;
  const remote = typeof item.dst === 'string' ? parseAddress(item.dst) : undefined;
  if (item.dst !== undefined && !remote) return undefined;
  return withText(mac, device, {
    master: stringOf(item.master),
    vlan: numberOf(item.vlan),
    remote,
    port: numberOf(item.port),
    vni: numberOf(item.vni),
    via: stringOf(item.viaIf) ?? (item.viaIfIndex === undefined ? undefined : `if${String(item.viaIfIndex)}`),
    flags: stringsOf(item.flags),
    state: stringOf(item.state),
  });
}

/** One entry in `bridge fdb`'s text syntax. `master` without a name is the flag of `bridge fdb add`. */
export function parseBridgeFdbLine(line: string): FdbEntry | undefined {
  const words = line.trim().split(/\s+/);
  const mac = words[0]?.toLowerCase() ?? '';
  if (!MAC.test(mac)) return undefined;
  let device: string | undefined;
  const parts: FdbParts = { flags: [] };
  for (let at = 1; at < words.length; at++) {
    const word = words[at]!;
    const value = words[at + 1];
    if (FLAGS.has(word)) parts.flags = [...parts.flags, word];
    else if (STATES.has(word)) parts.state = word;
    else if (value === undefined) return undefined;
    else {
      at++;
      if (word === 'dev') device = value;
      else if (!takeValue(word, value, parts)) return undefined;
    }
  }
  return device === undefined ? undefined : withText(mac, device, parts);
}

interface FdbParts {
  master?: string | undefined;
  vlan?: number | undefined;
  remote?: Address | undefined;
  port?: number | undefined;
  vni?: number | undefined;
  via?: string | undefined;
  flags: readonly string[];
  state?: string | undefined;
}

/** False where the word is unknown or its value is malformed. */
function takeValue(word: string, value: string, parts: FdbParts): boolean {
  switch (word) {
    case 'master':
    case 'via':
      parts[word] = value;
      return true;
    case 'dst':
      parts.remote = parseAddress(value);
      return parts.remote !== undefined;
    case 'vlan':
    case 'port':
    case 'vni':
      parts[word] = numberOf(value);
      return parts[word] !== undefined;
    default:
      return word === 'src_vni';
  }
}

function withText(mac: string, device: string, parts: FdbParts): FdbEntry {
  const { master, vlan, remote, port, vni, via, flags } = parts;
  const state = parts.state === '' ? undefined : parts.state;
  const words = [mac, 'dev', device];
  if (remote) words.push('dst', remote);
  if (vlan !== undefined) words.push('vlan', String(vlan));
  if (port !== undefined) words.push('port', String(port));
  if (vni !== undefined) words.push('vni', String(vni));
  if (via !== undefined) words.push('via', via);
  words.push(...flags);
  if (master !== undefined) words.push('master', master);
  if (state !== undefined) words.push(state);
  return {
    mac,
    device,
    ...(master !== undefined && { master }),
    ...(vlan !== undefined && { vlan }),
    ...(remote && { remote }),
    ...(port !== undefined && { port }),
    ...(vni !== undefined && { vni }),
    ...(via !== undefined && { via }),
    flags,
    ...(state !== undefined && { state }),
    text: words.join(' '),
  };
}
