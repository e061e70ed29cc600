import { MEMORY_VARIABLE } from './tool-memory.ts';

/** What a run asks of its helpers; every value has a default in the command line. */
export interface HelperSettings {
  readonly image: string;
  readonly namespace: string;
  readonly runId: string;
  /** Everything of this run ends in the cluster after this time, whatever becomes of podtriage. */
  readonly lifetimeSeconds: number;
  /** What a helper may use. */
  readonly memoryMebibytes: number;
  readonly imagePullSecret?: string;
  /** `privileged: true` instead of the list of capabilities, where a node's security module asks for it. */
  readonly privileged: boolean;
}

export const MANAGED_BY = { 'app.kubernetes.io/name': 'podtriage', 'app.kubernetes.io/managed-by': 'podtriage' };
export const MANAGED_BY_SELECTOR = 'app.kubernetes.io/managed-by=podtriage';
export const RUN_LABEL = 'podtriage.dev/run';
/** An annotation, since a node's name may be longer than a label's value. */
export const NODE_ANNOTATION = 'podtriage.dev/node';
export const CONTAINER = 'helper';
/** The node side, by the image's own command (deploy/podtriage-agent). */
export const AGENT_COMMAND: readonly string[] = ['podtriage-agent'];

/** Time for the cluster to remove a finished Job that nobody removed. */
const KEPT_AFTER_END_SECONDS = 30;

/** Each with its reason in docs/security.md; capabilities(7). */
const CAPABILITIES = [
  'DAC_READ_SEARCH',
  'KILL',
  'NET_ADMIN',
  'NET_RAW',
  'SETGID',
  'SETUID',
  'SYSLOG',
  'SYS_ADMIN',
  'SYS_PTRACE',
];

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec?: unknown;
}

export function helperName(settings: HelperSettings, index: number): string {
  return `podtriage-${settings.runId}-${index}`;
}

/** The helpers' own namespace: only there may a pod do what a helper must (Pod Security Standards, level privileged). */
export function namespaceManifest(name: string): Manifest {
  const level = { 'pod-security.kubernetes.io/enforce': 'privileged', 'pod-security.kubernetes.io/warn': 'privileged' };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels: { ...MANAGED_BY, ...level } } };
}

/** One run of one pod on one node; the cluster itself ends and removes it (activeDeadlineSeconds, ttlSecondsAfterFinished). */
export function jobManifest(settings: HelperSettings, name: string, node: string): Manifest {
  return {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name, namespace: settings.namespace, ...helperMetadata(settings, node) },
    spec: {
      activeDeadlineSeconds: settings.lifetimeSeconds,
      ttlSecondsAfterFinished: KEPT_AFTER_END_SECONDS,
      backoffLimit: 0,
      completions: 1,
      parallelism: 1,
      template: { metadata: helperMetadata(settings, node), spec: podSpec(settings, node) },
    },
  };
}

/** The same pod without a Job. Its deadline ends it, but the object stays until a later run sweeps it. */
export function podManifest(settings: HelperSettings, name: string, node: string): Manifest {
  const metadata = { name, namespace: settings.namespace, ...helperMetadata(settings, node) };
  return { apiVersion: 'v1', kind: 'Pod', metadata, spec: podSpec(settings, node) };
}

function helperMetadata(settings: HelperSettings, node: string): Pick<Manifest['metadata'], 'labels' | 'annotations'> {
  return {
    labels: { ...MANAGED_BY, [RUN_LABEL]: settings.runId },
    annotations: {
      [NODE_ANNOTATION]: node,
      // Servers before 1.30 do not know the field appArmorProfile.
      [`container.apparmor.security.beta.kubernetes.io/${CONTAINER}`]: 'unconfined',
    },
  };
}

function podSpec(settings: HelperSettings, node: string): object {
  return {
    // Past the scheduler, and onto nodes that nothing else may use: broken ones are what we are here for.
    nodeName: node,
    tolerations: [{ operator: 'Exists' }],
    hostNetwork: true,
    hostPID: true,
    dnsPolicy: 'Default',
    restartPolicy: 'Never',
    activeDeadlineSeconds: settings.lifetimeSeconds,
    terminationGracePeriodSeconds: 0,
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    ...(settings.imagePullSecret ? { imagePullSecrets: [{ name: settings.imagePullSecret }] } : {}),
    containers: [
      {
        name: CONTAINER,
        image: settings.image,
        imagePullPolicy: 'IfNotPresent',
        command: ['podtriage-idle', String(settings.lifetimeSeconds)],
        // Nothing is reserved: a full node would refuse a helper that asks for its share.
        resources: {
          limits: { memory: `${settings.memoryMebibytes}Mi`, cpu: '500m' },
          requests: { memory: '0', cpu: '0' },
        },
        // The node side gives its tools the more of it.
        env: [{ name: MEMORY_VARIABLE, value: String(settings.memoryMebibytes) }],
        securityContext: securityContext(settings.privileged),
      },
    ],
  };
}

function securityContext(privileged: boolean): object {
  return {
    runAsUser: 0,
    runAsGroup: 0,
    runAsNonRoot: false,
    seccompProfile: { type: 'Unconfined' },
    appArmorProfile: { type: 'Unconfined' },
    seLinuxOptions: { type: 'spc_t' },
    ...(privileged ? { privileged: true } : { capabilities: { drop: ['ALL'], add: CAPABILITIES } }),
  };
}
