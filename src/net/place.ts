/** Where a fact was read or a thing happens: a node, one of its network namespaces, perhaps a device or object there. */
export interface Place {
  /** The node's name; '' for the cluster as a whole (API objects). */
  readonly node: string;
  readonly namespace: 'host' | `pod/${string}/${string}`;
  readonly device?: string;
  readonly object?: string;
}

export const CLUSTER: Place = { node: '', namespace: 'host' };

const hosts = new Map<string, Place>();

/** The same object for the same node: what is known of a place is found by its identity. */
export function hostOf(node: string): Place {
  const host = hosts.get(node) ?? { node, namespace: 'host' };
  hosts.set(node, host);
  return host;
}

export function podPlace(node: string, namespace: string, name: string): Place {
  return { node, namespace: `pod/${namespace}/${name}` };
}

/** Two places with the same key are the same network namespace; device and object do not count. */
export function placeKey(place: Place): string {
  return `${place.node}|${place.namespace}`;
}

export function formatPlace(place: Place): string {
  const where = place.namespace === 'host' ? place.node || 'cluster' : `${place.namespace} on ${place.node}`;
  return place.device ? `${where} (${place.device})` : where;
}
