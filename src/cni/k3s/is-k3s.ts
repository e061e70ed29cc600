import type { Node } from '../../snapshot/objects.ts';

/** k3s puts its name into the kubelet's version: `v1.31.4+k3s1`. (RKE2's `+rke2r1` runs kube-proxy as a static pod.) */
export function isK3s(node: Node): boolean {
  return node.status.nodeInfo?.kubeletVersion?.includes('+k3s') === true;
}

/** The arguments that the node's k3s was started with, from its own annotation; undefined where it is not there. */
export function k3sArguments(node: Node): readonly string[] | undefined {
  const text = node.metadata.annotations?.['k3s.io/node-args'];
  if (text === undefined) return undefined;
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list.filter((one) => typeof one === 'string') : undefined;
  } catch {
    return undefined;
  }
}
