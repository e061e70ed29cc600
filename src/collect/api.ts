import type { FactName } from '../snapshot/facts.ts';
import type { Collector, How } from './collector.ts';
import { LIMITS } from './limits.ts';

/*
 * What the API server knows (place CLUSTER). A path is one list of the API; the host pages through it and hands back
 * one List object. `api.access` is asked by several SelfSubjectAccessReviews, which a host makes as it knows its needs.
 */

const PAGE = { limit: '500' };

export const apiVersion = list('api.version', '/version', {});
export const apiAccess = list('api.access', '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {});
export const apiPods = list('api.pods', '/api/v1/pods');
export const apiNodes = list('api.nodes', '/api/v1/nodes');
export const apiNamespaces = list('api.namespaces', '/api/v1/namespaces');
export const apiServices = list('api.services', '/api/v1/services');
export const apiEndpointSlices = list('api.endpointslices', '/apis/discovery.k8s.io/v1/endpointslices');
export const apiNetworkPolicies = list('api.networkpolicies', '/apis/networking.k8s.io/v1/networkpolicies');
export const apiDaemonSets = list('api.daemonsets', '/apis/apps/v1/daemonsets');
export const apiDeployments = list('api.deployments', '/apis/apps/v1/deployments');

const WORKLOAD_GROUPS: Readonly<Record<string, string>> = {
  statefulsets: '/apis/apps/v1',
  replicasets: '/apis/apps/v1',
  daemonsets: '/apis/apps/v1',
  deployments: '/apis/apps/v1',
  jobs: '/apis/batch/v1',
  cronjobs: '/apis/batch/v1',
  replicationcontrollers: '/api/v1',
};

export const apiWorkloads: Collector = {
  fact: 'api.workloads',
  scope: 'cluster',
  how: ({ kind, namespace }) => {
    const group = WORKLOAD_GROUPS[String(kind)];
    if (!group) throw new RangeError(`no kind of workload: ${kind}`);
    const path = namespace ? `${group}/namespaces/${segment(namespace)}/${kind}` : `${group}/${kind}`;
    return { via: 'api', path, query: PAGE };
  },
  limits: LIMITS.api,
};

export const apiConfigMaps: Collector = {
  fact: 'api.configmaps',
  scope: 'cluster',
  how: ({ namespace }) => ({ via: 'api', path: `/api/v1/namespaces/${segment(namespace)}/configmaps`, query: PAGE }),
  limits: LIMITS.api,
};

export const apiEvents: Collector = {
  fact: 'api.events',
  scope: 'cluster',
  how: ({ namespace, name }) => ({
    via: 'api',
    path: `/api/v1/namespaces/${segment(namespace)}/events`,
    query: { ...PAGE, ...(name ? { fieldSelector: `involvedObject.name=${name}` } : {}) },
  }),
  limits: LIMITS.api,
};

export const apiLog: Collector = {
  fact: 'api.log',
  scope: 'cluster',
  how: ({ namespace, pod, container }) => ({
    via: 'api',
    path: `/api/v1/namespaces/${segment(namespace)}/pods/${segment(pod)}/log`,
    query: { tailLines: '200', ...(container ? { container: String(container) } : {}) },
  }),
  limits: LIMITS.podLog,
};

function list(fact: FactName, path: string, query: Readonly<Record<string, string>> = PAGE): Collector {
  const how: How = { via: 'api', path, query };
  return { fact, scope: 'cluster', how: () => how, limits: LIMITS.api };
}

/** A name as one segment of an API path. */
function segment(name: unknown): string {
  const text = String(name ?? '');
  if (!/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(text)) throw new RangeError(`no name of an API object: ${text}`);
  return text;
}
