import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, dirname, resolve } from 'node:path';
import { KubernetesProblem } from './kubernetes-problem.ts';

/** The parts of a kubeconfig (kubectl's v1.Config) that say where the API server is and who asks. */
export interface KubeCluster {
  readonly server: string;
  readonly certificateAuthority?: string;
  readonly certificateAuthorityData?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly tlsServerName?: string;
  readonly proxyUrl?: string;
}

export interface KubeUser {
  readonly clientCertificate?: string;
  readonly clientCertificateData?: string;
  readonly clientKey?: string;
  readonly clientKeyData?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly username?: string;
  readonly password?: string;
  readonly as?: string;
  readonly asUid?: string;
  readonly asGroups?: readonly string[];
  /** A credential plug-in (client.authentication.k8s.io). */
  readonly exec?: KubeExec;
  /** oidc, azure, gcp: kept whole for the client library. */
  readonly authProvider?: Readonly<Record<string, unknown>>;
}

export interface KubeExec {
  readonly apiVersion?: string;
  readonly command: string;
  readonly args?: readonly string[];
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly provideClusterInfo?: boolean;
}

export interface KubeContext {
  /** The files that it was read from, for messages. */
  readonly origin: string;
  readonly name: string;
  readonly clusterName: string;
  readonly userName: string;
  /** The context's default namespace. */
  readonly namespace: string;
  readonly cluster: KubeCluster;
  readonly user: KubeUser;
}

type Json = Readonly<Record<string, unknown>>;
type Named = ReadonlyMap<string, Json>;

interface Merged {
  readonly clusters: Named;
  readonly users: Named;
  readonly contexts: Named;
  readonly current: string;
  readonly origin: string;
}

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * The context to use, by kubectl's rules: `--kubeconfig`, else every file of $KUBECONFIG (the first to name a thing
 * wins), else ~/.kube/config, else the pod's own service account. Throws KubernetesProblem.
 *
 * Read here and not by the client library, whose loader costs 300 ms and 130 MB at every start.
 */
export async function loadKubeContext(
  options: { readonly kubeconfig?: string; readonly context?: string },
  environment: NodeJS.ProcessEnv = process.env,
): Promise<KubeContext> {
  const files = filesOf(options.kubeconfig, environment);
  const merged = await mergeFiles(files, options.kubeconfig !== undefined);
  if (merged) return pickContext(merged, options.context);
  if (environment.KUBERNETES_SERVICE_HOST && !options.context) return inClusterContext(environment);
  throw new KubernetesProblem('kubeconfig', `no kubeconfig: ${files.join(', ')} not found; name one with --kubeconfig`);
}

function filesOf(kubeconfig: string | undefined, environment: NodeJS.ProcessEnv): string[] {
  if (kubeconfig !== undefined) return [kubeconfig];
  const listed = environment.KUBECONFIG?.split(delimiter).filter((file) => file !== '') ?? [];
  return listed.length > 0 ? listed : [resolve(environment.HOME ?? homedir(), '.kube/config')];
}

/** undefined where none of the files exists; one that was named by the user must exist. */
async function mergeFiles(files: readonly string[], mustExist: boolean): Promise<Merged | undefined> {
  const merged = { clusters: new Map(), users: new Map(), contexts: new Map(), current: '', origin: '' };
  for (const file of files) {
    const config = await readConfig(file, mustExist);
    if (!config) continue;
    merged.origin = merged.origin ? `${merged.origin}, ${file}` : file;
    merged.current ||= text(config['current-context']) ?? '';
    addNamed(merged.clusters, config.clusters, 'cluster', file);
    addNamed(merged.users, config.users, 'user', file);
    addNamed(merged.contexts, config.contexts, 'context', file);
  }
  return merged.origin ? merged : undefined;
}

async function readConfig(file: string, mustExist: boolean): Promise<Json | undefined> {
  const content = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' && !mustExist) return undefined;
    throw new KubernetesProblem('kubeconfig', `cannot read kubeconfig ${file}: ${error.code ?? error.message}`);
  });
  if (content === undefined) return undefined;
  const { parse } = await import('yaml');
  try {
    const config: unknown = parse(content);
    if (isObject(config)) return config;
  } catch (error) {
    const line = (error as Error).message.split('\n')[0];
    throw new KubernetesProblem('kubeconfig', `kubeconfig ${file} is not YAML: ${line}`);
  }
  throw new KubernetesProblem('kubeconfig', `kubeconfig ${file} is empty or not a kubeconfig`);
}

/** Relative paths within a kubeconfig are relative to that file. */
function addNamed(into: Map<string, Json>, list: unknown, key: string, file: string): void {
  if (!Array.isArray(list)) return;
  for (const item of list) {
    const name = isObject(item) ? text(item.name) : undefined;
    const value = isObject(item) && isObject(item[key]) ? item[key] : undefined;
    if (name === undefined || !value || into.has(name)) continue;
    into.set(name, absolutePaths(value, dirname(resolve(file))));
  }
}

function absolutePaths(value: Json, directory: string): Json {
  const result: Record<string, unknown> = { ...value };
  for (const key of ['certificate-authority', 'client-certificate', 'client-key', 'tokenFile']) {
    const path = text(value[key]);
    if (path) result[key] = resolve(directory, path);
  }
  return result;
}

function pickContext(config: Merged, asked: string | undefined): KubeContext {
  const name = asked ?? config.current;
  if (!name) {
    throw new KubernetesProblem('context', `${config.origin} names no current context; choose one with --context`);
  }
  const context = config.contexts.get(name);
  if (!context) {
    const known = [...config.contexts.keys()].join(', ') || 'none';
    throw new KubernetesProblem('context', `context "${name}" is not in ${config.origin}; there are: ${known}`);
  }
  const clusterName = text(context.cluster) ?? '';
  const userName = text(context.user) ?? '';
  const cluster = config.clusters.get(clusterName);
  const server = cluster && withScheme(text(cluster.server));
  if (!cluster || !server) {
    throw new KubernetesProblem(
      'kubeconfig',
      `context "${name}" uses cluster "${clusterName}", which has no server in ${config.origin}`,
    );
  }
  if (!/^https?:/.test(server) || !URL.canParse(server)) {
    throw new KubernetesProblem('kubeconfig', `cluster "${clusterName}" has a server that is no URL: ${server}`);
  }
  return {
    origin: config.origin,
    name,
    clusterName,
    userName,
    namespace: text(context.namespace) || 'default',
    cluster: readCluster(cluster, server),
    user: readUser(config.users.get(userName) ?? {}),
  };
}

/** As client-go, which takes `host:port` too. */
function withScheme(server: string | undefined): string | undefined {
  return server === undefined || server.includes('://') ? server : `https://${server}`;
}

function readCluster(cluster: Json, server: string): KubeCluster {
  return {
    server,
    ...optional('certificateAuthority', text(cluster['certificate-authority'])),
    ...optional('certificateAuthorityData', text(cluster['certificate-authority-data'])),
    ...optional('tlsServerName', text(cluster['tls-server-name'])),
    ...optional('proxyUrl', text(cluster['proxy-url'])),
    insecureSkipTlsVerify: cluster['insecure-skip-tls-verify'] === true,
  };
}

function readUser(user: Json): KubeUser {
  const exec = isObject(user.exec) && text(user.exec.command) ? (user.exec as unknown as KubeExec) : undefined;
  const provider = isObject(user['auth-provider']) ? user['auth-provider'] : undefined;
  const groups = Array.isArray(user['as-groups']) ? user['as-groups'].filter((one) => typeof one === 'string') : [];
  return {
    ...optional('clientCertificate', text(user['client-certificate'])),
    ...optional('clientCertificateData', text(user['client-certificate-data'])),
    ...optional('clientKey', text(user['client-key'])),
    ...optional('clientKeyData', text(user['client-key-data'])),
    ...optional('token', text(user.token)),
    ...optional('tokenFile', text(user.tokenFile)),
    ...optional('username', text(user.username)),
    ...optional('password', text(user.password)),
    ...optional('as', text(user.as)),
    ...optional('asUid', text(user['as-uid'])),
    ...optional('exec', exec),
    ...optional('authProvider', provider),
    ...(groups.length > 0 ? { asGroups: groups } : {}),
  };
}

/** As client-go's rest.InClusterConfig: the service account's token and CA, and the API Service's own address. */
async function inClusterContext(environment: NodeJS.ProcessEnv): Promise<KubeContext> {
  const host = environment.KUBERNETES_SERVICE_HOST!;
  const address = host.includes(':') ? `[${host}]` : host;
  const namespace = await readFile(`${SERVICE_ACCOUNT}/namespace`, 'utf8').catch(() => 'default');
  return {
    origin: SERVICE_ACCOUNT,
    name: 'in-cluster',
    clusterName: 'in-cluster',
    userName: 'service-account',
    namespace: namespace.trim(),
    cluster: {
      server: `https://${address}:${environment.KUBERNETES_SERVICE_PORT ?? '443'}`,
      certificateAuthority: `${SERVICE_ACCOUNT}/ca.crt`,
    },
    user: { tokenFile: `${SERVICE_ACCOUNT}/token` },
  };
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [key]: value } as { [P in K]?: V });
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
