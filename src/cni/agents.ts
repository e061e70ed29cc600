import type { Container, Pod, Workload } from '../snapshot/objects.ts';
import type { Snapshot, Source } from '../snapshot/snapshot.ts';
import { clusterList } from '../target/cluster-list.ts';

/** Something that the cluster runs on its nodes: a DaemonSet, or a pod that no DaemonSet of the list owns (a static pod). */
export interface Agent {
  readonly kind: 'daemonset' | 'pod';
  readonly namespace: string;
  readonly name: string;
  readonly containers: readonly AgentContainer[];
  /** A pod's node. */
  readonly node?: string;
  readonly source: Source;
}

export interface AgentContainer {
  readonly name: string;
  readonly image: string;
  /** Command and arguments. */
  readonly words: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/**
 * What runs on the nodes as far as the API tells. A DaemonSet that is meant for no node (kube-proxy switched off by a
 * node selector, a Windows twin) is left out: its object alone runs nothing.
 */
export function agentsOf(snapshot: Snapshot): readonly Agent[] {
  const daemonsets = clusterList(snapshot, 'api.daemonsets');
  const pods = clusterList(snapshot, 'api.pods');
  const agents: Agent[] = [];
  const listed = new Set<string>();
  if (daemonsets.state === 'seen') {
    for (const one of daemonsets.value) {
      listed.add(`${one.metadata.namespace}/${one.metadata.name}`);
      if (runsOnLinux(one)) agents.push(fromDaemonset(one, daemonsets.source));
    }
  }
  if (pods.state === 'seen') {
    for (const pod of pods.value) {
      const owner = pod.metadata.ownerReferences?.find((one) => one.kind === 'DaemonSet');
      if (owner !== undefined && listed.has(`${pod.metadata.namespace}/${owner.name}`)) continue;
      if (owner !== undefined || pod.spec.hostNetwork === true) agents.push(fromPod(pod, pods.source));
    }
  }
  return agents;
}

function runsOnLinux(daemonset: Workload): boolean {
  if (daemonset.status?.desiredNumberScheduled === 0) return false;
  const selector = podSpec(daemonset).nodeSelector as Readonly<Record<string, unknown>> | undefined;
  return selector?.['kubernetes.io/os'] !== 'windows';
}

function podSpec(daemonset: Workload): Readonly<Record<string, unknown>> {
  return (daemonset.spec.template?.spec ?? {}) as Readonly<Record<string, unknown>>;
}

function fromDaemonset(one: Workload, source: Source): Agent {
  const { containers } = podSpec(one);
  return {
    kind: 'daemonset',
    namespace: one.metadata.namespace ?? 'default',
    name: one.metadata.name,
    containers: Array.isArray(containers) ? (containers as Container[]).map(toContainer) : [],
    source,
  };
}

function fromPod(pod: Pod, source: Source): Agent {
  return {
    kind: 'pod',
    namespace: pod.metadata.namespace ?? 'default',
    name: pod.metadata.name,
    containers: pod.spec.containers.map(toContainer),
    ...(pod.spec.nodeName === undefined ? {} : { node: pod.spec.nodeName }),
    source,
  };
}

function toContainer(one: Container): AgentContainer {
  const env = (one.env ?? []).filter((entry) => entry.value !== undefined);
  return {
    name: one.name,
    image: one.image ?? '',
    words: [...(one.command ?? []), ...(one.args ?? [])],
    env: Object.fromEntries(env.map((entry) => [entry.name, entry.value!])),
  };
}

export function describeAgent(agent: Agent): string {
  return `${agent.kind} ${agent.namespace}/${agent.name}`;
}

/** The image's own name: `rancher/mirrored-flannel-flannel:v0.26` → `mirrored-flannel-flannel`. */
export function imageName(image: string): string {
  return image.split('/').at(-1)!.split(/[:@]/, 1)[0]!;
}

/** For what has no image of its own to be told by. */
export const NO_IMAGE = /(?!)/;

/** Agents of which a container has one of these names, or an image whose own name fits. */
export function agentsNamed(agents: readonly Agent[], containers: readonly string[], image: RegExp): readonly Agent[] {
  return agents.filter((agent) => containerNamed(agent, containers, image) !== undefined);
}

export function containerNamed(agent: Agent, containers: readonly string[], image: RegExp): AgentContainer | undefined {
  return (
    agent.containers.find((one) => image.test(imageName(one.image))) ??
    agent.containers.find((one) => containers.includes(one.name))
  );
}

/** The value of `--name=value`, `--name value` or a bare `--name` ('true'); undefined where the flag is not given. Shell lines inside an argument are searched too. */
export function flagOf(words: readonly string[], name: string): string | undefined {
  const split = words.flatMap((word) => word.split(/\s+/));
  for (let index = split.length - 1; index >= 0; index--) {
    const word = split[index]!.replace(/^--?/, '--');
    if (word === `--${name}`) {
      const next = split[index + 1];
      return next === undefined || next.startsWith('-') ? 'true' : next;
    }
    if (word.startsWith(`--${name}=`)) return word.slice(name.length + 3).replace(/^["']|["']$/g, '');
  }
  return undefined;
}
