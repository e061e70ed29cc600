import type { Address, Family } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { ServicePort } from '../snapshot/objects.ts';

/** One end of the question, resolved against the cluster's objects. */
export type Endpoint = PodEndpoint | NodeEndpoint | ServiceEndpoint | AddressEndpoint | NameEndpoint;

export interface PodEndpoint {
  readonly kind: 'pod';
  readonly namespace: string;
  readonly name: string;
  readonly uid?: string;
  /** Undefined while the pod is not scheduled. */
  readonly node?: string;
  /** The network namespace it uses: the host's for hostNetwork. Undefined while it has none. */
  readonly place?: Place;
  readonly addresses: readonly Address[];
  readonly hostNetwork: boolean;
  readonly container?: string;
  /** `deploy/NS/NAME`, where a workload was named and this pod of it was taken. */
  readonly chosenFrom?: string;
}

export interface NodeEndpoint {
  readonly kind: 'node';
  readonly name: string;
  readonly place: Place;
  readonly addresses: readonly Address[];
  /** The Service whose NodePort was asked for (`node/NAME:PORT`). */
  readonly nodePortOf?: ServiceEndpoint;
}

export interface ServiceEndpoint {
  readonly kind: 'service';
  readonly namespace: string;
  readonly name: string;
  readonly type: string; // ClusterIP, NodePort, LoadBalancer, ExternalName
  /** clusterIPs; empty when headless. An external or load balancer address that was asked for stands alone. */
  readonly addresses: readonly Address[];
  readonly headless: boolean;
  /**
   * The port asked for, or the first one with a note where none was asked; undefined where the Service has no such port
   * (a cause says so) and for an ExternalName, whose ports mean nothing.
   */
  readonly port?: ServicePort;
  /** As the user wrote it: a number or a port's name. */
  readonly portAsked?: string;
  /** ExternalName: the name that the cluster DNS answers with. */
  readonly externalName?: string;
}

/** An address that is none of the cluster's pods, nodes or Services. As a source it cannot be probed from. */
export interface AddressEndpoint {
  readonly kind: 'address';
  readonly address: Address;
}

/** A DNS name that the source has to resolve. */
export interface NameEndpoint {
  readonly kind: 'name';
  readonly host: string;
}

export type Protocol = 'tcp' | 'udp' | 'icmp' | 'sctp';

export interface Question {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly protocol: Protocol;
  /** Destination port as the source uses it (the Service's port, a NodePort, the pod's port). */
  readonly port?: number;
  readonly family: Family;
  /** The user's own words, for the report. */
  readonly asked: { readonly source: string; readonly destination: string };
  /** The symptom that the user named (`--class`). */
  readonly class?: string;
  /** What was decided for the user: which pod of a workload, which port. */
  readonly notes: readonly string[];
}

/** A user's words that lead nowhere: one clear line and near names. Exit code 2. */
export interface TargetProblem {
  /** no-access: the objects that would tell could not be read. */
  readonly kind: 'usage' | 'not-found' | 'ambiguous' | 'no-access';
  readonly problem: string;
  readonly near: readonly string[];
}

export function isTargetProblem(value: object): value is TargetProblem {
  return 'problem' in value && 'near' in value;
}
