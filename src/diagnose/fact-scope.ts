import type { Family } from '../net/address.ts';
import { CLUSTER, hostOf, type Place } from '../net/place.ts';
import type { FactArgs, FactName } from '../snapshot/facts.ts';

/** Facts whose arguments only the asker knows: a cause names them in `needs` and reads them through `ask`. */
export const ASK_ONLY = [
  'probe.tcp',
  'probe.udp',
  'probe.icmp',
  'probe.syn',
  'probe.dns',
  'nft.table',
  'iptables.chain',
  'nft.chains',
  'nft.chain',
  'nft.sets',
  'api.workloads',
  'api.configmaps',
  'api.events',
  'api.log',
] as const satisfies readonly FactName[];

export type AskOnly = (typeof ASK_ONLY)[number];

const NODE_WIDE: ReadonlySet<string> = new Set<FactName>([
  'kernel',
  'kernel-log',
  'sandboxes',
  'softnet',
  'cni-configuration',
  'cni-files',
  'flannel-subnet',
]);

const BY_FAMILY: ReadonlySet<string> = new Set<FactName>(['routes', 'route-exceptions', 'rules', 'iptables.legacy']);

export function isAskOnly(name: string): name is AskOnly {
  return (ASK_ONLY as readonly string[]).includes(name);
}

/** Where and with which arguments a fact is read when a cause is checked at `place`. */
export function factScope(name: FactName, place: Place, family: Family): { place: Place; args: FactArgs } {
  if (name.startsWith('api.')) return { place: CLUSTER, args: {} };
  if (NODE_WIDE.has(name)) return { place: hostOf(place.node), args: {} };
  const at: Place = { node: place.node, namespace: place.namespace };
  if (name === 'iptables.nft') return { place: at, args: { family, table: '' } };
  if (BY_FAMILY.has(name)) return { place: at, args: { family } };
  return { place: at, args: {} };
}
