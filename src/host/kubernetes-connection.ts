import { readFile } from 'node:fs/promises';
import http from 'node:http';
import https from 'node:https';
import type { KubeContext } from './kubernetes-config.ts';
import { KubernetesProblem } from './kubernetes-problem.ts';

export interface Impersonation {
  readonly user: string;
  readonly groups?: readonly string[];
}

type Headers = Readonly<Record<string, string | string[]>>;

/** How to reach the API server as this user: what every HTTP request and every WebSocket needs. */
export interface Connection {
  readonly context: KubeContext;
  readonly server: URL;
  /** Agent and headers; asked for each request, since tokens expire. */
  options(): Promise<{ readonly agent: http.Agent; readonly headers: Headers }>;
  close(): void;
}

/** API requests and exec streams at once; more are queued by the agent. */
const SOCKETS_MAX = 24;
const TOKEN_FILE_KEPT_MS = 60_000;

interface Credentials {
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  readonly authorization?: string;
}

/** Throws KubernetesProblem where a file or a credential plug-in that the kubeconfig names does not answer. */
export async function connect(context: KubeContext, as?: Impersonation): Promise<Connection> {
  const headers = impersonationHeaders(context, as);
  const server = new URL(context.cluster.server);
  if (context.user.authProvider || proxyFor(context)) return connectByLibrary(context, server, headers);
  const tls = await tlsOptions(context);
  const credentials = credentialSource(context);
  const agents = new Map<string, http.Agent>();
  return {
    context,
    server,
    async options() {
      const { cert, key, authorization } = await credentials();
      const id = `${cert ?? ''}`;
      const agent = agents.get(id) ?? newAgent(server, { ...tls, cert, key });
      agents.set(id, agent);
      return { agent, headers: authorization ? { ...headers, Authorization: authorization } : headers };
    },
    close() {
      for (const agent of agents.values()) agent.destroy();
    },
  };
}

function newAgent(server: URL, tls: https.AgentOptions): http.Agent {
  const common = { keepAlive: true, maxSockets: SOCKETS_MAX, noDelay: true };
  return server.protocol === 'http:' ? new http.Agent(common) : new https.Agent({ ...common, ...tls });
}

async function tlsOptions({ cluster }: KubeContext): Promise<https.AgentOptions> {
  const ca = await dataOrFile(cluster.certificateAuthorityData, cluster.certificateAuthority);
  return {
    ...(ca ? { ca } : {}),
    ...(cluster.tlsServerName ? { servername: cluster.tlsServerName } : {}),
    ...(cluster.insecureSkipTlsVerify ? { rejectUnauthorized: false } : {}),
  };
}

function credentialSource(context: KubeContext): () => Promise<Credentials> {
  const { user } = context;
  if (user.exec) return execCredentials(context);
  if (user.tokenFile && !user.token) return tokenFileCredentials(user.tokenFile);
  const fixed = fixedCredentials(context);
  return () => fixed;
}

async function fixedCredentials({ user }: KubeContext): Promise<Credentials> {
  const cert = await dataOrFile(user.clientCertificateData, user.clientCertificate);
  const key = await dataOrFile(user.clientKeyData, user.clientKey);
  const authorization = user.token
    ? `Bearer ${user.token}`
    : user.username
      ? `Basic ${Buffer.from(`${user.username}:${user.password ?? ''}`).toString('base64')}`
      : undefined;
  return { ...(cert && key ? { cert, key } : {}), ...(authorization ? { authorization } : {}) };
}

/** A projected service account token is replaced while we run. */
function tokenFileCredentials(file: string): () => Promise<Credentials> {
  let readAtMs = Number.NEGATIVE_INFINITY;
  let token: Promise<Credentials> | undefined;
  return () => {
    if (token && Date.now() - readAtMs < TOKEN_FILE_KEPT_MS) return token;
    readAtMs = Date.now();
    token = readNamed(file).then((content) => ({ authorization: `Bearer ${content.toString('utf8').trim()}` }));
    return token;
  };
}

/** The library's runner of credential plug-ins, with the KUBERNETES_EXEC_INFO that plug-ins of v1 ask for. */
function execCredentials({ user, userName, cluster }: KubeContext): () => Promise<Credentials> {
  const exec = user.exec!;
  const info = {
    apiVersion: exec.apiVersion ?? 'client.authentication.k8s.io/v1',
    kind: 'ExecCredential',
    spec: {
      interactive: false,
      ...(exec.provideClusterInfo
        ? { cluster: { server: cluster.server, 'certificate-authority-data': cluster.certificateAuthorityData } }
        : {}),
    },
  };
  const env = [...(exec.env ?? []), { name: 'KUBERNETES_EXEC_INFO', value: JSON.stringify(info) }];
  const runner = import('@kubernetes/client-node/dist/exec_auth.js').then(({ ExecAuth }) => new ExecAuth());
  let last: Promise<Credentials> = Promise.resolve({});
  const ask = async (): Promise<Credentials> => {
    const own: Record<string, string> = {};
    const options: https.RequestOptions = { headers: own };
    await (await runner).applyAuthentication({ name: userName, exec: { ...exec, env } }, options).catch((error) => {
      const why = error instanceof Error ? error.message.trim() : String(error);
      throw new KubernetesProblem('kubeconfig', `the credential plug-in ${exec.command} of user "${userName}": ${why}`);
    });
    const { Authorization: authorization } = own;
    return {
      ...(options.cert && options.key ? { cert: options.cert as string, key: options.key as string } : {}),
      ...(authorization ? { authorization } : {}),
    };
  };
  // One at a time: the runner keeps a credential once it has it, and a plug-in may open a browser.
  return () => {
    last = last.catch(() => undefined).then(ask);
    return last;
  };
}

/** Identity providers and proxies: all of the client library, which costs its 300 ms only here. */
async function connectByLibrary(context: KubeContext, server: URL, headers: Headers): Promise<Connection> {
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  const { cluster, user } = context;
  config.loadFromOptions({
    clusters: [
      {
        name: context.clusterName,
        server: cluster.server,
        caFile: cluster.certificateAuthority,
        caData: cluster.certificateAuthorityData,
        skipTLSVerify: cluster.insecureSkipTlsVerify ?? false,
        tlsServerName: cluster.tlsServerName,
        proxyUrl: proxyFor(context),
      },
    ],
    users: [
      {
        name: context.userName,
        certFile: user.clientCertificate,
        certData: user.clientCertificateData,
        keyFile: user.clientKey,
        keyData: user.clientKeyData,
        token: user.token ?? (user.tokenFile ? (await readNamed(user.tokenFile)).toString('utf8').trim() : undefined),
        username: user.username,
        password: user.password,
        exec: user.exec,
        authProvider: user.authProvider,
      },
    ],
    contexts: [{ name: context.name, cluster: context.clusterName, user: context.userName }],
    currentContext: context.name,
  });
  return {
    context,
    server,
    async options() {
      const own: Record<string, string> = {};
      const options: https.RequestOptions = { headers: own };
      await config.applyToHTTPSOptions(options);
      if (options.auth) own.Authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`;
      return { agent: options.agent as http.Agent, headers: { ...own, ...headers } };
    },
    close: () => undefined,
  };
}

/** The proxy of the kubeconfig, or the environment's, as client-go and curl read it. */
function proxyFor({ cluster }: KubeContext): string | undefined {
  const server = new URL(cluster.server);
  if (cluster.proxyUrl) return cluster.proxyUrl;
  const names = server.protocol === 'http:' ? ['HTTP_PROXY', 'http_proxy'] : ['HTTPS_PROXY', 'https_proxy'];
  const proxy = names.map((name) => process.env[name]).find((value) => value);
  if (!proxy) return undefined;
  const exempt = (process.env.NO_PROXY ?? process.env.no_proxy ?? '').split(',').map((one) => one.trim());
  const host = server.hostname;
  return exempt.some((one) => one && (one === '*' || host === one || host.endsWith(`.${one.replace(/^\./, '')}`)))
    ? undefined
    : proxy;
}

/** `--as` and `--as-group`, else what the kubeconfig's user says. */
function impersonationHeaders({ user }: KubeContext, as?: Impersonation): Record<string, string | string[]> {
  const name = as?.user ?? user.as;
  if (!name) return {};
  const groups = as ? as.groups : user.asGroups;
  return {
    'Impersonate-User': name,
    ...(groups?.length ? { 'Impersonate-Group': [...groups] } : {}),
    ...(!as && user.asUid ? { 'Impersonate-Uid': user.asUid } : {}),
  };
}

async function dataOrFile(data: string | undefined, file: string | undefined): Promise<Buffer | undefined> {
  if (data) return Buffer.from(data, 'base64');
  return file ? readNamed(file) : undefined;
}

async function readNamed(file: string): Promise<Buffer> {
  return readFile(file).catch((error: NodeJS.ErrnoException) => {
    throw new KubernetesProblem('kubeconfig', `cannot read ${file}, which the kubeconfig names: ${error.code}`);
  });
}
