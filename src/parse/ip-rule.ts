import type { Family } from '../net/address.ts';
import { formatPrefix, type Prefix, parsePrefix, prefixFamily } from '../net/prefix.ts';
import { tableName, tableNumber } from './iproute2-names.ts';
import { type JsonObject, numberOf, parseItems, stringOf } from './json-items.ts';
import type { Parsed } from './parsed.ts';

/*
 * Format: `ip -4|-6 -N -d -j rule show`, and the same without -N or -d.
 * Source of truth: ip-rule(8), iproute2's ip/iprule.c (print_rule), include/uapi/linux/fib_rules.h.
 * Versions seen: iproute2 6.1; 4.17 (the first with -j) and 5.x by their source.
 * Realms (flow_from, flow_to) do not choose a route and are left out.
 * Not understood: a key that is not in KNOWN_KEYS makes the rule undecidable by that key's name; a table named in the
 * machine's own rt_tables (printed only without -N) makes it unparsed.
 */

/** One policy-routing rule: `ip -4 -N -d -j rule show` (ip-rule(8)). Sorted by priority as the kernel tries them. */
export interface RoutingRule {
  readonly priority: number;
  readonly not: boolean;
  readonly source?: Prefix;
  readonly destination?: Prefix;
  readonly mark?: { readonly value: number; readonly mask: number };
  readonly input?: string;
  readonly output?: string;
  /** `iif` or `oif` names a device that is not there now: nothing matches it (`[detached]`). */
  readonly detached?: boolean;
  readonly tos?: number;
  /** Users of local sockets (`uidrange`); the kernel's own and forwarded packets are user 0's. */
  readonly users?: { readonly from: number; readonly to: number };
  /** The id that a collecting tunnel device wrote beside the packet (`tun_id`). */
  readonly tunnelId?: number;
  /** Looks into the table of the VRF that the packet came by or leaves by, and matches such packets alone. */
  readonly l3mdev?: boolean;
  /** The packet's own protocol (`ipproto`): tcp, udp, icmp, or a number. */
  readonly protocol?: string;
  readonly sourcePorts?: { readonly from: number; readonly to: number };
  readonly destinationPorts?: { readonly from: number; readonly to: number };
  readonly suppressPrefixLength?: number;
  readonly suppressGroup?: string;
  readonly action: /** Table 0: that of the VRF (`l3mdev`). */
    | { readonly kind: 'lookup'; readonly table: number }
    | { readonly kind: 'goto'; readonly priority: number }
    | { readonly kind: 'nop' | 'blackhole' | 'unreachable' | 'prohibit' };
  /** Selectors that are not modelled (`dscp` and others of later kernels): the rule is undecided, by these names. */
  readonly undecidable: readonly string[];
  readonly text: string;
}

const KNOWN_KEYS = new Set([
  'priority',
  'not',
  'src',
  'srclen',
  'dst',
  'dstlen',
  'fwmark',
  'fwmask',
  'iif',
  'iif_detached',
  'oif',
  'oif_detached',
  'tos',
  'ipproto',
  'sport',
  'sport_start',
  'sport_end',
  'dport',
  'dport_start',
  'dport_end',
  'uid_start',
  'uid_end',
  'tun_id',
  'l3mdev',
  'flow_from',
  'flow_to',
  'nat_gateway',
  'masquerade',
  'suppress_prefixlen',
  'suppress_ifgroup',
  'table',
  'goto',
  'unresolved',
  'nop',
  'action',
  'protocol',
  'proto',
]);

const PROTOCOLS: Readonly<Record<string, string>> = {
  '1': 'icmp',
  '6': 'tcp',
  '17': 'udp',
  '58': 'icmpv6',
  '132': 'sctp',
  'ipv6-icmp': 'icmpv6',
};

export function parseIpRule(text: string, family: Family): Parsed<readonly RoutingRule[]> {
  const parsed = parseItems(text, (item) => ruleOf(item, family));
  return { value: parsed.value.toSorted((a, b) => a.priority - b.priority), unparsed: parsed.unparsed };
}

function ruleOf(item: JsonObject, family: Family): RoutingRule | undefined {
  const priority = numberOf(item.priority ?? 0);
  const action = actionOf(item);
  const source = selectorPrefix(item.src, item.srclen, family);
  const destination = selectorPrefix(item.dst, item.dstlen, family);
  if (priority === undefined || !action || source === null || destination === null) return undefined;
  const rest = selectorsOf(item);
  if (!rest) return undefined;
  const rule = {
    priority,
    not: 'not' in item,
    ...(source && { source }),
    ...(destination && { destination }),
    ...rest,
    action,
    undecidable: undecidableOf(item),
  };
  return { ...rule, text: renderRule(rule) };
}

function undecidableOf(item: JsonObject): readonly string[] {
  const unique = new Set(Object.keys(item).filter((key) => !KNOWN_KEYS.has(key)));
  if (item.tos !== undefined && numberOf(item.tos) === undefined) unique.add('tos');
  return [...unique];
}

type Selectors = Pick<
  RoutingRule,
  | 'mark'
  | 'input'
  | 'output'
  | 'detached'
  | 'tos'
  | 'users'
  | 'tunnelId'
  | 'l3mdev'
  | 'protocol'
  | 'sourcePorts'
  | 'destinationPorts'
  | 'suppressPrefixLength'
  | 'suppressGroup'
>;

/** Undefined where a selector is malformed: to leave it out would widen the rule. */
function selectorsOf(item: JsonObject): Selectors | undefined {
  const mark = markOf(item);
  const sourcePorts = portsOf(item, 'sport');
  const destinationPorts = portsOf(item, 'dport');
  const suppress = item.suppress_prefixlen === undefined ? undefined : numberOf(item.suppress_prefixlen);
  if (mark === null || sourcePorts === null || destinationPorts === null) return undefined;
  if (item.suppress_prefixlen !== undefined && suppress === undefined) return undefined;
  const users = usersOf(item);
  const tunnelId = item.tun_id === undefined ? undefined : numberOf(item.tun_id);
  if (users === null || (item.tun_id !== undefined && tunnelId === undefined)) return undefined;
  const input = stringOf(item.iif);
  const output = stringOf(item.oif);
  const tos = numberOf(item.tos);
  const protocol = item.ipproto === undefined ? undefined : ipProtocol(String(item.ipproto));
  return {
    ...(mark && { mark }),
    ...(input !== undefined && { input }),
    ...(output !== undefined && { output }),
    ...(('iif_detached' in item || 'oif_detached' in item) && { detached: true }),
    ...(tos !== undefined && { tos }),
    ...(users && { users }),
    ...(tunnelId !== undefined && { tunnelId }),
    ...('l3mdev' in item && { l3mdev: true }),
    ...(protocol !== undefined && { protocol }),
    ...(sourcePorts && { sourcePorts }),
    ...(destinationPorts && { destinationPorts }),
    ...(suppress !== undefined && suppress >= 0 && { suppressPrefixLength: suppress }),
    ...(item.suppress_ifgroup !== undefined && { suppressGroup: String(item.suppress_ifgroup) }),
  };
}

/** With -N iproute2 6.1 prints `ipproto-6`. */
function ipProtocol(text: string): string {
  const bare = text.replace(/^ipproto-/, '');
  return Object.hasOwn(PROTOCOLS, bare) ? PROTOCOLS[bare]! : bare;
}

function markOf(item: JsonObject): RoutingRule['mark'] | null {
  if (item.fwmark === undefined && item.fwmask === undefined) return undefined;
  const value = numberOf(item.fwmark ?? 0);
  const mask = numberOf(item.fwmask ?? 0xffff_ffff);
  return value === undefined || mask === undefined ? null : { value, mask };
}

function portsOf(item: JsonObject, name: 'sport' | 'dport'): RoutingRule['sourcePorts'] | null {
  const single = item[name];
  const from = single ?? item[`${name}_start`];
  const to = single ?? item[`${name}_end`];
  if (from === undefined && to === undefined) return undefined;
  const range = { from: numberOf(from), to: numberOf(to) };
  return range.from === undefined || range.to === undefined ? null : { from: range.from, to: range.to };
}

function usersOf(item: JsonObject): RoutingRule['users'] | null {
  if (item.uid_start === undefined && item.uid_end === undefined) return undefined;
  const from = numberOf(item.uid_start);
  const to = numberOf(item.uid_end);
  return from === undefined || to === undefined ? null : { from, to };
}

/** undefined: any; null: malformed. */
function selectorPrefix(address: unknown, length: unknown, family: Family): Prefix | undefined | null {
  if (address === undefined || address === 'all' || address === 'default') return undefined;
  if (typeof address !== 'string') return null;
  const prefix = parsePrefix(length === undefined ? address : `${address}/${String(length)}`);
  return prefix && prefixFamily(prefix) === family ? prefix : null;
}

/** FR_ACT_* of include/uapi/linux/fib_rules.h, printed as numbers with -N. */
const ACTIONS: Readonly<Record<string, 'blackhole' | 'unreachable' | 'prohibit' | 'nop'>> = {
  '3': 'nop',
  '6': 'blackhole',
  '7': 'unreachable',
  '8': 'prohibit',
  nop: 'nop',
  blackhole: 'blackhole',
  unreachable: 'unreachable',
  prohibit: 'prohibit',
};

function actionOf(item: JsonObject): RoutingRule['action'] | undefined {
  if ('nop' in item) return { kind: 'nop' };
  if ('l3mdev' in item) return { kind: 'lookup', table: 0 };
  // Route NAT is no more: the kernel keeps its action number and takes it for a black hole (fib4_rule_action's default).
  if ('nat_gateway' in item || 'masquerade' in item) return { kind: 'blackhole' };
  if (item.goto !== undefined) {
    const priority = numberOf(item.goto);
    return priority === undefined ? undefined : { kind: 'goto', priority };
  }
  if (item.action !== undefined && Object.hasOwn(ACTIONS, String(item.action))) {
    return { kind: ACTIONS[String(item.action)]! };
  }
  const table = item.table === undefined ? undefined : tableNumber(String(item.table));
  return table === undefined ? undefined : { kind: 'lookup', table };
}

function renderRule(rule: Omit<RoutingRule, 'text'>): string {
  const words = [`${rule.priority}:`];
  if (rule.not) words.push('not');
  words.push('from', rule.source ? formatPrefix(rule.source) : 'all');
  if (rule.destination) words.push('to', formatPrefix(rule.destination));
  if (rule.tos !== undefined) words.push('tos', `0x${rule.tos.toString(16)}`);
  if (rule.mark) words.push('fwmark', renderMark(rule.mark));
  if (rule.input !== undefined) words.push('iif', rule.input);
  if (rule.output !== undefined) words.push('oif', rule.output);
  if (rule.detached) words.push('[detached]');
  if (rule.users) words.push('uidrange', `${rule.users.from}-${rule.users.to}`);
  if (rule.protocol !== undefined) words.push('ipproto', rule.protocol);
  if (rule.sourcePorts) words.push('sport', renderPorts(rule.sourcePorts));
  if (rule.destinationPorts) words.push('dport', renderPorts(rule.destinationPorts));
  if (rule.tunnelId !== undefined) words.push('tun_id', String(rule.tunnelId));
  words.push(...rule.undecidable, ...renderAction(rule.action));
  if (rule.suppressPrefixLength !== undefined) words.push('suppress_prefixlength', String(rule.suppressPrefixLength));
  if (rule.suppressGroup !== undefined) words.push('suppress_ifgroup', rule.suppressGroup);
  return words.join(' ');
}

function renderMark(mark: { readonly value: number; readonly mask: number }): string {
  const value = `0x${mark.value.toString(16)}`;
  return mark.mask === 0xffff_ffff ? value : `${value}/0x${mark.mask.toString(16)}`;
}

function renderPorts(ports: { readonly from: number; readonly to: number }): string {
  return ports.from === ports.to ? String(ports.from) : `${ports.from}-${ports.to}`;
}

function renderAction(action: RoutingRule['action']): string[] {
  if (action.kind === 'goto') return ['goto', String(action.priority)];
  if (action.kind !== 'lookup') return [action.kind];
  return action.table === 0 ? ['lookup', '[l3mdev-table]'] : ['lookup', tableName(action.table)];
}
