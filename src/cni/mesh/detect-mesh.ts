import type { DatapathPart } from '../../simulate/datapath.ts';
import type { Container, Pod } from '../../snapshot/objects.ts';
import { imageName, NO_IMAGE } from '../agents.ts';
import type { ClusterLook } from '../cluster-look.ts';
import { makePart } from '../cni-finding.ts';

interface Mesh {
  readonly by: string;
  readonly containers: readonly string[];
  readonly images: RegExp;
  /** Annotation → what its value must look like. */
  readonly annotations: readonly (readonly [key: string, value: RegExp])[];
  readonly takes: string;
}

/** How each mesh marks a pod whose connections it takes over. */
const MESHES: readonly Mesh[] = [
  {
    by: 'istio-sidecar',
    containers: ['istio-proxy'],
    images: /^proxyv2/,
    annotations: [['sidecar.istio.io/status', /./]],
    takes: 'its sidecar istio-proxy accepts every TCP connect of the pod and every one to it',
  },
  {
    by: 'istio-ambient',
    containers: [],
    images: NO_IMAGE,
    annotations: [['ambient.istio.io/redirection', /^enabled$/]],
    takes: 'ztunnel of its node takes its connections and carries them in HBONE',
  },
  {
    by: 'linkerd',
    containers: ['linkerd-proxy'],
    images: NO_IMAGE,
    annotations: [['linkerd.io/proxy-version', /./]],
    takes: 'its sidecar linkerd-proxy accepts its TCP connects and those to it',
  },
  {
    by: 'kuma',
    containers: ['kuma-sidecar'],
    images: NO_IMAGE,
    annotations: [['kuma.io/sidecar-injected', /^(true|enabled)$/]],
    takes: 'its sidecar kuma-sidecar accepts its TCP connects and those to it',
  },
  {
    by: 'consul-connect',
    containers: ['consul-dataplane', 'envoy-sidecar'],
    images: /^consul-dataplane$/,
    annotations: [['consul.hashicorp.com/connect-inject-status', /^injected$/]],
    takes: 'its sidecar accepts its TCP connects and those to it',
  },
];

/**
 * Pods whose connections a proxy takes. The redirection itself is in the pod's own iptables (Istio's ports 15001 and
 * 15006, Linkerd's 4140 and 4143), what the proxy then does is not walked: a connect that it accepts proves nothing.
 */
export function detectMesh(look: ClusterLook, pods?: ReadonlySet<string>): DatapathPart[] {
  return look.pods.flatMap((pod) => {
    const name = `${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`;
    if (pods !== undefined && !pods.has(name)) return [];
    const mesh = MESHES.find((one) => marks(pod, one));
    if (mesh === undefined) return [];
    return [
      makePart({
        role: 'mesh',
        by: mesh.by,
        modelled: false,
        pod: name,
        statement: `pod ${name} is in a mesh (${mesh.by}): ${mesh.takes}`,
        sources: look.podsSource ? [{ ...look.podsSource, text: `pod ${name}` }] : [],
      }),
    ];
  });
}

function marks(pod: Pod, mesh: Mesh): boolean {
  const isProxy = (one: Container) =>
    mesh.containers.includes(one.name) || mesh.images.test(imageName(one.image ?? ''));
  // A gateway is a proxy and nothing else: there is no application whose connections it could take over.
  if (pod.spec.containers.every(isProxy)) return false;
  const annotated = mesh.annotations.some(([key, value]) => value.test(pod.metadata.annotations?.[key] ?? ''));
  return annotated || [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].some(isProxy);
}
