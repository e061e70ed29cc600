import { CLUSTER, hostOf } from '../net/place.ts';
import type { CniFile } from '../parse/cni-conf.ts';
import type { Link } from '../parse/ip-link.ts';
import type { ConfigMap, Node, Pod } from '../snapshot/objects.ts';
import type { Snapshot, Source } from '../snapshot/snapshot.ts';
import { clusterList, seenItems } from '../target/cluster-list.ts';
import { type Agent, agentsOf } from './agents.ts';

/** The evidence from which the gate judges, read once. */
export interface ClusterLook {
  readonly snapshot: Snapshot;
  readonly agents: readonly Agent[];
  readonly nodes: readonly Node[];
  readonly nodesSource?: Source;
  readonly pods: readonly Pod[];
  readonly podsSource?: Source;
  /** Nodes whose host namespace some reply speaks of. */
  readonly hosts: readonly string[];
}

export function lookAt(snapshot: Snapshot): ClusterLook {
  const nodes = clusterList(snapshot, 'api.nodes');
  const pods = clusterList(snapshot, 'api.pods');
  return {
    snapshot,
    agents: agentsOf(snapshot),
    nodes: seenItems(nodes),
    ...(nodes.state === 'seen' ? { nodesSource: nodes.source } : {}),
    pods: seenItems(pods),
    ...(pods.state === 'seen' ? { podsSource: pods.source } : {}),
    hosts: snapshot.nodes().filter((node) => node !== ''),
  };
}

export interface Sourced<T> {
  readonly value: T;
  readonly source: Source;
}

export function configMap(look: ClusterLook, namespace: string, name: string): Sourced<ConfigMap> | undefined {
  const maps = look.snapshot.fact('api.configmaps', CLUSTER, { namespace });
  if (maps.state === 'unseen') return undefined;
  const value = maps.value.find((one) => one.metadata.name === name);
  return value === undefined ? undefined : { value, source: maps.source };
}

/** A device of the host namespace by its name (or a beginning of one, ending in `*`). */
export function hostLink(look: ClusterLook, node: string, name: string): Sourced<Link> | undefined {
  const links = look.snapshot.fact('links', hostOf(node));
  if (links.state === 'unseen') return undefined;
  const begin = name.endsWith('*') ? name.slice(0, -1) : undefined;
  const value = links.value.find((one) => (begin === undefined ? one.name === name : one.name.startsWith(begin)));
  return value === undefined ? undefined : { value, source: { ...links.source, text: value.name } };
}

/** The CNI configuration that the runtime uses: the first valid file by name (libcni, ConfFiles). */
export function cniConfiguration(look: ClusterLook, node: string): Sourced<CniFile> | undefined {
  const conf = look.snapshot.fact('cni-configuration', hostOf(node));
  if (conf.state === 'unseen') return undefined;
  const value = conf.value.files.find((one) => one.network !== undefined);
  return value === undefined ? undefined : { value, source: conf.source };
}

/** Nodes whose runtime calls a plug-in of one of these types. */
export function nodesCalling(
  look: ClusterLook,
  types: readonly string[],
): readonly (Sourced<CniFile> & { node: string })[] {
  return look.hosts.flatMap((node) => {
    const conf = cniConfiguration(look, node);
    const calls = conf?.value.network?.plugins.some((plugin) => callsType(plugin.type, plugin.raw, types)) ?? false;
    return conf && calls ? [{ ...conf, node }] : [];
  });
}

/** Multus and its like name the plug-in that they call in `delegates`. */
function callsType(type: string, raw: Readonly<Record<string, unknown>>, types: readonly string[]): boolean {
  if (types.includes(type)) return true;
  const delegates = Array.isArray(raw.delegates)
    ? (raw.delegates as { type?: unknown; plugins?: { type?: unknown }[] }[])
    : [];
  return delegates.some(
    (one) => types.includes(String(one.type)) || one.plugins?.some((it) => types.includes(String(it.type))) === true,
  );
}

/** At least one node's host namespace has such a device. */
export function hostsWithLink(look: ClusterLook, name: string): readonly (Sourced<Link> & { node: string })[] {
  return look.hosts.flatMap((node) => {
    const link = hostLink(look, node, name);
    return link === undefined ? [] : [{ ...link, node }];
  });
}
