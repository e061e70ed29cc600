import { z } from 'zod';
import { isObject } from '../parse/json-items.ts';
import type { Parsed, UnparsedLine } from '../parse/parsed.ts';
import { parseListItems } from './list-items.ts';
import type {
  AccessAnswer,
  ConfigMap,
  Container,
  EndpointSlice,
  KubernetesEvent,
  Namespace,
  NetworkPolicy,
  Node,
  Pod,
  Service,
  Workload,
} from './objects.ts';
import { isProxyVariable, withoutUserinfo } from './proxy-variable.ts';

/*
 * Checks API objects at the edge (k8s.io/api). Unknown fields are passed over, a null is a field left out (as the API
 * server's own decoder reads it), and an object that does not fit is told as unparsed and loses no other.
 */

const text = z.string().optional();
const flag = z.boolean().optional();
const count = z.number().optional();
const strings = z.record(z.string(), z.string());
const anything = z.record(z.string(), z.unknown());

const metadata = z.object({
  name: z.string(),
  namespace: text,
  uid: text,
  labels: strings.optional(),
  annotations: strings.optional(),
  creationTimestamp: text,
  deletionTimestamp: text,
  ownerReferences: z
    .array(z.object({ kind: z.string(), name: z.string(), uid: z.string(), controller: flag }))
    .optional(),
});

const conditions = z.array(z.object({ type: z.string(), status: z.string(), reason: text, message: text })).optional();

const container = z.object({
  name: z.string(),
  image: text,
  ports: z.array(z.object({ name: text, containerPort: z.number(), protocol: text, hostPort: count })).optional(),
  readinessProbe: anything.optional(),
  securityContext: anything.optional(),
  env: z
    .array(z.object({ name: z.string(), value: text }))
    .transform(proxiesOf)
    .optional(),
  command: z.array(z.string()).optional(),
  args: z.array(z.string()).optional(),
});

const containerState = z
  .object({
    waiting: z.object({ reason: text, message: text }).optional(),
    running: z.object({ startedAt: text }).optional(),
    terminated: z.object({ reason: text, exitCode: count, message: text }).optional(),
  })
  .optional();

const containerStatuses = z
  .array(
    z.object({
      name: z.string(),
      ready: flag,
      restartCount: count,
      containerID: text,
      state: containerState,
      lastState: containerState,
    }),
  )
  .optional();

const pod = z.object({
  metadata,
  spec: z.object({
    nodeName: text,
    hostNetwork: flag,
    dnsPolicy: text,
    dnsConfig: anything.optional(),
    hostAliases: z.array(z.object({ ip: z.string(), hostnames: z.array(z.string()).optional() })).optional(),
    runtimeClassName: text,
    priorityClassName: text,
    containers: z.array(container),
    initContainers: z.array(container).optional(),
    readinessGates: z.array(z.object({ conditionType: z.string() })).optional(),
  }),
  status: z
    .object({
      phase: text,
      podIP: text,
      podIPs: z.array(z.object({ ip: z.string() })).optional(),
      hostIP: text,
      reason: text,
      message: text,
      conditions,
      containerStatuses,
      initContainerStatuses: containerStatuses,
    })
    .default({}),
});

const node = z.object({
  metadata,
  spec: z
    .object({ podCIDR: text, podCIDRs: z.array(z.string()).optional(), unschedulable: flag, providerID: text })
    .default({}),
  status: z
    .object({
      addresses: z.array(z.object({ type: z.string(), address: z.string() })).optional(),
      conditions,
      nodeInfo: z
        .object({ kernelVersion: text, containerRuntimeVersion: text, kubeletVersion: text, osImage: text })
        .optional(),
    })
    .default({}),
});

const namespace = z.object({ metadata });

const service = z.object({
  metadata,
  spec: z.object({
    type: text,
    clusterIP: text,
    clusterIPs: z.array(z.string()).optional(),
    externalIPs: z.array(z.string()).optional(),
    externalName: text,
    selector: strings.optional(),
    ports: z
      .array(
        z.object({
          name: text,
          protocol: text,
          port: z.number(),
          targetPort: z.union([z.number(), z.string()]).optional(),
          nodePort: count,
          appProtocol: text,
        }),
      )
      .optional(),
    sessionAffinity: text,
    externalTrafficPolicy: text,
    internalTrafficPolicy: text,
    publishNotReadyAddresses: flag,
    loadBalancerSourceRanges: z.array(z.string()).optional(),
    healthCheckNodePort: count,
    ipFamilies: z.array(z.string()).optional(),
  }),
  status: z
    .object({
      loadBalancer: z.object({ ingress: z.array(z.object({ ip: text, hostname: text })).optional() }).optional(),
    })
    .optional(),
});

const endpointSlice = z.object({
  metadata,
  addressType: z.string(),
  ports: z.array(z.object({ name: text, port: count, protocol: text })).optional(),
  endpoints: z
    .array(
      z.object({
        addresses: z.array(z.string()),
        conditions: z.object({ ready: flag, serving: flag, terminating: flag }).optional(),
        nodeName: text,
        zone: text,
        hints: anything.optional(),
        targetRef: z.object({ kind: text, namespace: text, name: text }).optional(),
      }),
    )
    .optional(),
});

const networkPolicy = z.object({ metadata, spec: anything.default({}) });

const workload = z.object({
  kind: text,
  metadata,
  spec: z
    .object({
      selector: z
        .object({ matchLabels: strings.optional(), matchExpressions: z.array(z.unknown()).optional() })
        .optional(),
      replicas: count,
      template: anything.transform(withProxiesOnly).optional(),
    })
    .default({}),
  status: anything.optional(),
});

/** A ReplicationController's selector is a bare map of labels; read as `matchLabels`. */
const anyWorkload = z.preprocess((raw) => {
  if (!isObject(raw) || raw.kind !== 'ReplicationController' || !isObject(raw.spec)) return raw;
  return { ...raw, spec: { ...raw.spec, selector: { matchLabels: raw.spec.selector } } };
}, workload);

const configMap = z.object({ metadata, data: strings.optional() });

const kubernetesEvent = z.object({
  metadata,
  type: text,
  reason: text,
  message: text,
  count,
  lastTimestamp: text,
  involvedObject: z.object({ kind: text, namespace: text, name: text }).optional(),
});

const accessAnswer = z.object({
  verb: z.string(),
  resource: z.string(),
  namespace: text,
  allowed: z.boolean(),
  reason: text,
});

export interface ObjectFacts {
  'api.pods': Pod;
  'api.nodes': Node;
  'api.namespaces': Namespace;
  'api.services': Service;
  'api.endpointslices': EndpointSlice;
  'api.networkpolicies': NetworkPolicy;
  'api.daemonsets': Workload;
  'api.deployments': Workload;
  'api.workloads': Workload;
  'api.configmaps': ConfigMap;
  'api.events': KubernetesEvent;
}

const SCHEMAS: { readonly [K in keyof ObjectFacts]: z.ZodType<ObjectFacts[K]> } = {
  'api.pods': pod,
  'api.nodes': node,
  'api.namespaces': namespace,
  'api.services': service,
  'api.endpointslices': endpointSlice,
  'api.networkpolicies': networkPolicy,
  'api.daemonsets': anyWorkload,
  'api.deployments': anyWorkload,
  'api.workloads': anyWorkload,
  'api.configmaps': configMap,
  'api.events': kubernetesEvent,
};

/** The objects of a List of the API, each checked by itself. */
export function parseObjects<K extends keyof ObjectFacts>(name: K, raw: string): Parsed<readonly ObjectFacts[K][]> {
  const items = parseListItems(raw);
  const value: ObjectFacts[K][] = [];
  const unparsed: UnparsedLine[] = [...items.unparsed];
  for (const item of items.value) {
    const checked = checkObject(name, item);
    if ('object' in checked) value.push(checked.object);
    else unparsed.push({ line: 0, text: `${nameOf(item)}: ${checked.problem}` });
  }
  return { value, unparsed };
}

/** One object against its kind's schema. */
export function checkObject<K extends keyof ObjectFacts>(
  name: K,
  raw: unknown,
): { readonly object: ObjectFacts[K] } | { readonly problem: string } {
  const result = SCHEMAS[name].safeParse(withoutNulls(raw));
  if (result.success) return { object: result.data };
  const [issue] = result.error.issues;
  return { problem: issue ? `${issue.path.join('.')}: ${issue.message}` : 'does not fit' };
}

/** A JSON array of answers to SelfSubjectAccessReviews. */
export function parseAccess(raw: string): Parsed<readonly AccessAnswer[]> | undefined {
  const document = parseJson(raw);
  if (!Array.isArray(document)) return undefined;
  const value: AccessAnswer[] = [];
  const unparsed: UnparsedLine[] = [];
  for (const item of document) {
    const result = accessAnswer.safeParse(withoutNulls(item));
    if (result.success) value.push(result.data);
    else unparsed.push({ line: 0, text: JSON.stringify(item) });
  }
  return { value, unparsed };
}

/** `/version` of the API server. */
export function parseVersion(raw: string): { readonly gitVersion: string } | undefined {
  return z.object({ gitVersion: z.string() }).safeParse(parseJson(raw)).data;
}

export function parseJson(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}

/** A bundle holds no other variable, and a live run shall not reason with more than a bundle. */
function proxiesOf(env: readonly { readonly name: string; readonly value?: string | undefined }[]): Container['env'] {
  return env
    .filter(({ name }) => isProxyVariable(name))
    .map(({ name, value }) => ({ name, ...(value !== undefined && { value: withoutUserinfo(value) }) }));
}

const environment = z.array(z.object({ name: z.string(), value: text }));

/** A workload's pod template is kept as it is, but for the environment of its containers. */
function withProxiesOnly(template: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  if (!isObject(template.spec)) return template;
  const clean = (containers: unknown): unknown =>
    Array.isArray(containers)
      ? containers.map((one) =>
          isObject(one) && one.env !== undefined
            ? { ...one, env: proxiesOf(environment.safeParse(one.env).data ?? []) }
            : one,
        )
      : containers;
  const { containers, initContainers } = template.spec;
  return {
    ...template,
    spec: {
      ...template.spec,
      ...(containers !== undefined && { containers: clean(containers) }),
      ...(initContainers !== undefined && { initContainers: clean(initContainers) }),
    },
  };
}

function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (!isObject(value)) return value;
  // managedFields is the largest part of most objects, and nothing reads it.
  const kept = Object.entries(value).filter(([key, entry]) => entry !== null && key !== 'managedFields');
  return Object.fromEntries(kept.map(([key, entry]) => [key, withoutNulls(entry)]));
}

function nameOf(item: Readonly<Record<string, unknown>>): string {
  const meta = isObject(item.metadata) ? item.metadata : {};
  return [meta.namespace, meta.name].filter((part) => typeof part === 'string').join('/') || '(no name)';
}
