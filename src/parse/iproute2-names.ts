/**
 * Names and numbers that iproute2 takes from /etc/iproute2/rt_*; with `-N` it prints the numbers, without it the names.
 * Source: include/uapi/linux/rtnetlink.h and iproute2's lib/rt_names.c.
 */
const TABLES: Readonly<Record<string, number>> = { unspec: 0, default: 253, main: 254, local: 255 };

const PROTOCOLS: Readonly<Record<number, string>> = {
  0: 'unspec',
  1: 'redirect',
  2: 'kernel',
  3: 'boot',
  4: 'static',
  8: 'gated',
  9: 'ra',
  10: 'mrt',
  11: 'zebra',
  12: 'bird',
  13: 'dnrouted',
  14: 'xorp',
  15: 'ntk',
  16: 'dhcp',
  17: 'mrouted',
  18: 'keepalived',
  42: 'babel',
  99: 'openr',
  186: 'bgp',
  187: 'isis',
  188: 'ospf',
  189: 'rip',
  192: 'eigrp',
};

const SCOPES: Readonly<Record<number, string>> = { 0: 'global', 200: 'site', 253: 'link', 254: 'host', 255: 'nowhere' };

const ROUTE_TYPES = [
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
  'xresolve',
] as const;

/** The number of a routing table; undefined for a name of the machine's own rt_tables, which the text alone cannot resolve. */
export function tableNumber(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  return Object.hasOwn(TABLES, text) ? TABLES[text] : undefined;
}

export function tableName(table: number): string {
  return Object.keys(TABLES).find((name) => name !== 'unspec' && TABLES[name] === table) ?? String(table);
}

/** A routing protocol's name; a number without one stays a number. */
export function protocolName(text: string): string {
  return /^\d+$/.test(text) ? (PROTOCOLS[Number(text)] ?? text) : text;
}

export function scopeName(text: string): string {
  return /^\d+$/.test(text) ? (SCOPES[Number(text)] ?? text) : text;
}

export function routeTypeName(text: string): string {
  return /^\d+$/.test(text) ? (ROUTE_TYPES[Number(text)] ?? text) : text;
}

export function isRouteType(text: string): boolean {
  return (ROUTE_TYPES as readonly string[]).includes(text);
}
