import type { AccessAnswer } from '../snapshot/objects.ts';
import type { ApiClient } from './kubernetes-client.ts';

export interface Right {
  readonly verb: string;
  /** With its API group, as in `kubectl auth can-i`: `jobs.batch`, `pods/exec`. */
  readonly resource: string;
  readonly namespace?: string;
}

/** The rights of this user, as far as podtriage asks for them. */
export interface Access {
  readonly answers: readonly AccessAnswer[];
  /** Rights without which there is no helper on any node. Empty: nothing is known to stand in the way. */
  readonly missingForHelpers: readonly Right[];
}

const READS: readonly Right[] = [
  'pods',
  'nodes',
  'namespaces',
  'services',
  'endpointslices.discovery.k8s.io',
  'networkpolicies.networking.k8s.io',
  'daemonsets.apps',
  'deployments.apps',
].map((resource) => ({ verb: 'list', resource }));

const KUBE_SYSTEM_READS: readonly Right[] = [
  { verb: 'list', resource: 'configmaps', namespace: 'kube-system' },
  { verb: 'list', resource: 'events' },
  { verb: 'get', resource: 'pods/log' },
];

/** Jobs and pods are one right: where a Job may not be made, a bare Pod will do. */
function helperRights(namespace: string): readonly Right[] {
  return [
    { verb: 'create', resource: 'jobs.batch', namespace },
    { verb: 'delete', resource: 'jobs.batch', namespace },
    { verb: 'create', resource: 'pods', namespace },
    { verb: 'delete', resource: 'pods', namespace },
    { verb: 'get', resource: 'pods', namespace },
    { verb: 'list', resource: 'pods', namespace },
    { verb: 'watch', resource: 'pods', namespace },
    { verb: 'create', resource: 'pods/exec', namespace },
    { verb: 'get', resource: 'pods/exec', namespace },
    { verb: 'create', resource: 'namespaces' },
  ];
}

/**
 * Asks the API server for each right (SelfSubjectAccessReview). A question that is not answered is left out: nobody
 * may conclude from it that a right lacks. Never throws.
 */
export async function reviewAccess(client: ApiClient, helperNamespace: string): Promise<Access> {
  const rights = [...READS, ...KUBE_SYSTEM_READS, ...helperRights(helperNamespace)];
  const reviewed = await Promise.all(rights.map((right) => review(client, right)));
  const answers = reviewed.filter((answer) => answer !== undefined);
  return { answers, missingForHelpers: missingForHelpers(answers) };
}

async function review(client: ApiClient, right: Right): Promise<AccessAnswer | undefined> {
  const asked = client.json<{ status?: { allowed?: boolean; reason?: string } }>({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes: resourceAttributes(right) },
    },
  });
  return asked.then(
    ({ status }) => ({
      ...right,
      allowed: status?.allowed === true,
      ...(status?.reason ? { reason: status.reason } : {}),
    }),
    () => undefined,
  );
}

export function resourceAttributes({ verb, resource, namespace }: Right): Readonly<Record<string, string>> {
  const [named = '', subresource] = resource.split('/');
  const dot = named.indexOf('.');
  return {
    verb,
    resource: dot < 0 ? named : named.slice(0, dot),
    ...(dot < 0 ? {} : { group: named.slice(dot + 1) }),
    ...(subresource ? { subresource } : {}),
    ...(namespace ? { namespace } : {}),
  };
}

/**
 * A helper is made as a Job or as a Pod, and is found by listing pods (a Job's pod has a name of its own). Exec over a
 * WebSocket is a GET; servers from 1.35 on ask for `create` as well.
 */
export function missingForHelpers(answers: readonly AccessAnswer[]): readonly Right[] {
  const denied = (verb: string, resource: string): Right[] =>
    answers
      .filter((one) => one.namespace !== undefined && one.verb === verb && one.resource === resource && !one.allowed)
      .map(({ namespace }) => ({ verb, resource, ...(namespace ? { namespace } : {}) }));
  const job = denied('create', 'jobs.batch');
  const pod = denied('create', 'pods');
  const seen = [denied('list', 'pods'), denied('watch', 'pods')];
  const exec = [denied('create', 'pods/exec'), denied('get', 'pods/exec')];
  return [
    ...(job.length > 0 && pod.length > 0 ? [...job, ...pod] : []),
    ...(seen.every((one) => one.length > 0) ? seen.flat() : []),
    // Servers differ in which of the two they ask for: only a user who has neither is known to be refused.
    ...(exec.every((one) => one.length > 0) ? exec.flat() : []),
  ];
}

/** `create jobs.batch in namespace podtriage`. */
export function formatRight({ verb, resource, namespace }: Right): string {
  return namespace ? `${verb} ${resource} in namespace ${namespace}` : `${verb} ${resource}`;
}
