/** The user's words taken apart, before anything is looked up in a cluster. */
export type Target =
  | PodTarget
  | WorkloadTarget
  | ServiceTarget
  | NodeTarget
  | AddressTarget
  | HostTarget
  /** One word without a type: a pod in the default namespace if there is one, else a DNS name. */
  | { readonly kind: 'bare'; readonly word: string; readonly port?: string };

export interface PodTarget {
  readonly kind: 'pod';
  readonly namespace?: string;
  readonly name: string;
  readonly port?: string;
}

export type WorkloadKind =
  | 'deployment'
  | 'daemonset'
  | 'statefulset'
  | 'replicaset'
  | 'replicationcontroller'
  | 'job'
  | 'cronjob';

export interface WorkloadTarget {
  readonly kind: 'workload';
  readonly workload: WorkloadKind;
  readonly namespace?: string;
  readonly name: string;
  readonly port?: string;
}

export interface ServiceTarget {
  readonly kind: 'service';
  readonly namespace?: string;
  readonly name: string;
  readonly port?: string;
}

export interface NodeTarget {
  readonly kind: 'node';
  readonly name: string;
  readonly port?: string;
}

export interface AddressTarget {
  readonly kind: 'address';
  readonly address: string;
  readonly port?: string;
  /** A URL's scheme, and the port that it means where the URL names none. */
  readonly scheme?: string;
  readonly schemePort?: string;
}

export interface HostTarget {
  readonly kind: 'host';
  readonly host: string;
  readonly port?: string;
  /** A URL's scheme, and the port that it means where the URL names none. */
  readonly scheme?: string;
  readonly schemePort?: string;
}

/** Types as users write them (kubectl's names and short names) → what they are here. */
export const TARGET_TYPES: Readonly<Record<string, 'pod' | 'service' | 'node' | 'address' | 'host' | WorkloadKind>> = {
  pod: 'pod',
  pods: 'pod',
  po: 'pod',
  service: 'service',
  services: 'service',
  svc: 'service',
  node: 'node',
  nodes: 'node',
  no: 'node',
  ip: 'address',
  address: 'address',
  host: 'host',
  dns: 'host',
  deployment: 'deployment',
  deployments: 'deployment',
  deploy: 'deployment',
  daemonset: 'daemonset',
  daemonsets: 'daemonset',
  ds: 'daemonset',
  statefulset: 'statefulset',
  statefulsets: 'statefulset',
  sts: 'statefulset',
  replicaset: 'replicaset',
  replicasets: 'replicaset',
  rs: 'replicaset',
  replicationcontroller: 'replicationcontroller',
  replicationcontrollers: 'replicationcontroller',
  rc: 'replicationcontroller',
  job: 'job',
  jobs: 'job',
  cronjob: 'cronjob',
  cronjobs: 'cronjob',
  cj: 'cronjob',
};

/** The short form that podtriage prints: `deploy/NS/NAME`. */
export const WORKLOAD_SHORT: Readonly<Record<WorkloadKind, string>> = {
  deployment: 'deploy',
  daemonset: 'ds',
  statefulset: 'sts',
  replicaset: 'rs',
  replicationcontroller: 'rc',
  job: 'job',
  cronjob: 'cronjob',
};
