import { type CaseItem, type KernelCase, sysctlFile } from './case.ts';
import { placeOf } from './collect-case.ts';
import type { StateChange } from './shown-change.ts';
import { EARLY } from './steps-of-case.ts';

/*
 * What the state would be if a setting had never been made: its usual value back where it was, so that nobody has to make the
 * network again to look.
 */

/** Undefined: of such an item it is not known. */
export function usualState(one: KernelCase, item: CaseItem): readonly StateChange[] | undefined {
  const place = placeOf(one.namespaces.find(({ name }) => name === item.ns)!);
  switch (item.kind) {
    case 'sysctl':
      return [{ op: 'sysctl', place, text: `${item.key} as ever`, key: item.key, value: usualValue(item.key) }];
    case 'xdp':
      return [{ op: 'shown', place, action: 'links', where: { ifname: item.device }, set: { xdp: null } }];
    case 'bridge':
      return usualForwarding(item.line, place);
    case 'ip':
      return / replace /.test(item.line) ? replacedBefore(one, item, place) : usualLink(item.line, place);
    default:
      return undefined;
  }
}

type Place = StateChange['place'];

function usualValue(key: string): string {
  const own = EARLY.find(([known]) => sysctlFile(known) === sysctlFile(key));
  if (own) return own[1];
  const asDefault = key.replace(/\.conf\.[^.]+\./, '.conf.default.');
  return EARLY.find(([known]) => known === asDefault)?.[1] ?? '0';
}

function usualForwarding(line: string, place: Place): readonly StateChange[] | undefined {
  const port = /^link set dev (?<ifname>\S+) state /.exec(line)?.groups;
  const set = { 'linkinfo.info_slave_data.state': 'forwarding' };
  if (port) return [{ op: 'shown', place, action: 'links', where: { ifname: port.ifname }, set }];
  const entry = /^fdb \S+ (?<mac>\S+) dev (?<ifname>\S+)(?: dst (?<dst>\S+))?/.exec(line)?.groups;
  if (!entry) return undefined;
  const { mac, ifname, dst } = entry;
  return [{ op: 'shown', place, action: 'fdb', where: { mac, ifname, ...(dst !== undefined && { dst }) } }];
}

/** A route or a neighbour that took another's place, which an earlier line had made; or nobody's. */
function replacedBefore(one: KernelCase, item: CaseItem, place: Place): readonly StateChange[] | undefined {
  const mine = item.kind === 'ip' ? keyOf(item.line) : undefined;
  if (item.kind !== 'ip' || !mine) return undefined;
  const { op } = mine;
  const line = shownLine(one, mine.line);
  const former = one.items
    .slice(0, one.items.indexOf(item))
    .filter((other) => other.kind === 'ip' && other.ns === item.ns && (other.family ?? 4) === (item.family ?? 4))
    .flatMap((other) => (other.kind === 'ip' ? (keyOf(other.line) ?? []) : []))
    .findLast(({ key }) => key === mine.key);
  const gone = { op, place, text: item.line, act: 'remove', line } as const;
  if (!former) return [gone];
  const back = { op, place, text: former.line, act: 'add', line: former.line } as const;
  // One entry for an address and a device; of a route's types either one is found by its own.
  return op === 'neighbour' ? [back] : [gone, back];
}

/** A route by a nexthop object that drops is shown as one that does. */
function shownLine(one: KernelCase, line: string): string {
  const id = / nhid (\d+)$/.exec(line)?.[1];
  const isDropping = one.items.some((other) => other.kind === 'ip' && other.line === `nexthop add id ${id} blackhole`);
  return isDropping ? `blackhole ${line.split(' ')[0]}` : line;
}

const ROUTE_TYPES = /^(blackhole|unreachable|prohibit|throw|local|broadcast) /;

/** What the kernel holds two lines to be the same by. */
function keyOf(
  text: string,
): { readonly op: 'route' | 'neighbour'; readonly key: string; readonly line: string } | undefined {
  const found = /^(?<kind>route|neigh) (?:add|replace) (?<line>.+)$/.exec(text)?.groups;
  if (!found) return undefined;
  const line = found.line!;
  if (found.kind === 'neigh') {
    return { op: 'neighbour', key: `${line.split(' ')[0]} ${/ dev (\S+)/.exec(line)?.[1]}`, line };
  }
  const said = (word: string): string => new RegExp(` ${word} (\\S+)`).exec(line)?.[1] ?? '';
  const prefix = line.replace(ROUTE_TYPES, '').split(' ')[0];
  return { op: 'route', key: [prefix, said('table'), said('metric'), said('tos')].join(' '), line };
}

const ON_BY_DEFAULT = new Set(['learning', 'flood', 'mcast_flood', 'bcast_flood']);
const USUAL_MTU = 1500;

function usualLink(line: string, place: Place): readonly StateChange[] | undefined {
  const found = /^link set dev (?<device>\S+) (?<words>.+)$/.exec(line)?.groups;
  if (!found) return undefined;
  const device = found.device!;
  const words = found.words!.split(' ');
  const shown = (set: Readonly<Record<string, unknown>>): readonly StateChange[] => [
    { op: 'shown', place, action: 'links', where: { ifname: device }, set },
  ];
  if (words[0] === 'type') return shown(usualOptions(words.slice(1)));
  if (words[0] === 'mtu') return [{ op: 'link', place, text: 'the usual MTU', device, set: { mtu: USUAL_MTU } }];
  if (words[0] === 'down') return [{ op: 'link', place, text: 'up as ever', device, set: { up: true } }];
  if (words[0] === 'promisc') return shown({ promiscuity: 0, flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'] });
  if (words[0] === 'arp') return shown({ flags: ['BROADCAST', 'MULTICAST', 'UP', 'LOWER_UP'] });
  return undefined;
}

/** `bridge_slave hairpin on`, `bridge nf_call_iptables 1`. */
function usualOptions([kind, ...words]: readonly string[]): Readonly<Record<string, unknown>> {
  const at = kind === 'bridge_slave' ? 'linkinfo.info_slave_data' : 'linkinfo.info_data';
  const pairs = Array.from({ length: words.length / 2 }, (_, index) => [words[2 * index]!, words[2 * index + 1]!]);
  return Object.fromEntries(
    pairs.map(([name, value]): [string, unknown] => {
      return [`${at}.${name}`, /^\d+$/.test(value!) ? 0 : ON_BY_DEFAULT.has(name!)];
    }),
  );
}
