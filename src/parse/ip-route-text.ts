import type { Family } from '../net/address.ts';
import { formatPrefix, type Prefix, prefixFamily } from '../net/prefix.ts';
import type { NextHop, Route } from './ip-route.ts';
import { tableName } from './iproute2-names.ts';

/** In the words and order of `ip route show`, without what says nothing: type unicast, table main, protocol boot, scope global. */
export function renderRoute(route: Omit<Route, 'text'>): string {
  const words: string[] = [];
  if (route.type !== 'unicast') words.push(route.type);
  words.push(renderDestination(route.destination));
  if (route.source) words.push('from', formatPrefix(route.source));
  if (route.tos !== undefined) words.push('tos', `0x${route.tos.toString(16)}`);
  const single = route.nextHops.length === 1 ? route.nextHops[0] : undefined;
  if (single) words.push(...renderHop(single, prefixFamily(route.destination)));
  if (route.table !== 254) words.push('table', tableName(route.table));
  if (route.protocol !== undefined && route.protocol !== 'boot') words.push('proto', route.protocol);
  if (route.scope !== undefined && route.scope !== 'global') words.push('scope', route.scope);
  if (route.preferredSource) words.push('src', route.preferredSource);
  if (route.metric !== 0) words.push('metric', String(route.metric));
  words.push(...route.flags);
  if (route.mtu !== undefined) words.push('mtu', String(route.mtu));
  if (route.preference !== undefined) words.push('pref', route.preference);
  if (single) return words.join(' ');
  for (const hop of route.nextHops) {
    words.push(
      'nexthop',
      ...renderHop(hop, prefixFamily(route.destination)),
      'weight',
      String(hop.weight),
      ...hop.flags,
    );
  }
  return words.join(' ');
}

function renderDestination(prefix: Prefix): string {
  if (prefix.length === 0) return 'default';
  return prefix.length === (prefixFamily(prefix) === 4 ? 32 : 128) ? prefix.address : formatPrefix(prefix);
}

function renderHop(hop: NextHop, family: Family): string[] {
  const words: string[] = [];
  if (hop.encap !== undefined) words.push('encap', hop.encap);
  if (hop.via) words.push('via', ...(family === 4 && hop.via.includes(':') ? ['inet6'] : []), hop.via);
  if (hop.device !== undefined) words.push('dev', hop.device);
  return words;
}
