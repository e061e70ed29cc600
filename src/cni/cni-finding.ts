import type { Place } from '../net/place.ts';
import type { DatapathPart } from '../simulate/datapath.ts';
import type { Truth } from '../simulate/trace.ts';
import type { Source } from '../snapshot/snapshot.ts';
import { type Agent, describeAgent } from './agents.ts';
import type { ClusterLook } from './cluster-look.ts';

/** What one CNI's detection found. */
export interface CniFinding {
  readonly by: string;
  readonly parts: readonly DatapathPart[];
  /** Does the network between the nodes carry bare pod addresses with this CNI as it is set up here? */
  readonly podAddressesRoutable: Truth;
  /** Does the network beyond the nodes know them? Undefined: as between the nodes. */
  readonly podAddressesRoutableOutside?: Truth;
  /** `state`: seen by what it left on nodes only; it may be a former CNI. */
  readonly seenBy: 'agent' | 'state';
  /** Namespaces whose ConfigMaps tell more of it. */
  readonly configIn?: readonly string[];
}

export type DetectCni = (look: ClusterLook) => CniFinding | undefined;

export interface PartWish {
  readonly role: DatapathPart['role'];
  readonly by: string;
  readonly mode?: string | undefined;
  readonly modelled: boolean;
  readonly node?: string | undefined;
  readonly pod?: string | undefined;
  readonly statement: string;
  readonly sources: readonly Source[];
}

/** A part without the fields that nobody knows (undefined is not the same as absent in JSON). */
export function makePart(wish: PartWish): DatapathPart {
  const { mode, node, pod, ...rest } = wish;
  return {
    ...rest,
    ...(mode === undefined ? {} : { mode }),
    ...(node === undefined ? {} : { node }),
    ...(pod === undefined ? {} : { pod }),
  };
}

/** `runs as daemonset kube-system/cilium`. */
export function runsAs(agents: readonly Agent[]): string {
  return `runs as ${describeAgent(agents[0]!)}${agents.length > 1 ? ` and ${agents.length - 1} more` : ''}`;
}

export function sourcesOf(agents: readonly Agent[]): readonly Source[] {
  return agents.map((agent) => ({ ...agent.source, text: describeAgent(agent) }));
}

/** `NS/NAME` of a pod's place; undefined for a host's. */
export function podOfPlace(place: Place): string | undefined {
  return place.namespace === 'host' ? undefined : place.namespace.slice('pod/'.length);
}
