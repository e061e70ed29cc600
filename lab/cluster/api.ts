import { readFile } from 'node:fs/promises';
import { Agent, request } from 'node:https';

/** An object of the API, as far as the lab looks at it. */
export interface ApiObject {
  readonly apiVersion?: string;
  readonly kind?: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly uid?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly deletionTimestamp?: string;
    readonly generation?: number;
  };
  // biome-ignore lint/suspicious/noExplicitAny: objects of every kind pass here; each reader knows its own
  readonly spec?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly status?: any;
}

export class ApiError extends Error {
  readonly code: number;
  constructor(method: string, path: string, code: number, body: string) {
    super(`${method} ${path}: ${code} ${body.slice(0, 300)}`);
    this.code = code;
  }
}

const REQUEST_TIMEOUT_MS = 15_000;

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/**
 * The Kubernetes API as the lab needs it: one kept connection, no start-up cost. A kubectl takes 0.2 s for each
 * question, and the waits of a fault ask many.
 */
export class Api {
  private readonly agent: Agent;
  private readonly server: URL;

  private constructor(server: URL, agent: Agent) {
    this.server = server;
    this.agent = agent;
  }

  /** From a kubeconfig as the lab writes it: JSON, one context, client certificate. */
  static async connect(kubeconfig: string): Promise<Api> {
    const config = JSON.parse(await readFile(kubeconfig, 'utf8'));
    const { cluster } = config.clusters[0];
    const { user } = config.users[0];
    const decode = (text: string): Buffer => Buffer.from(text, 'base64');
    const agent = new Agent({
      keepAlive: true,
      maxSockets: 8,
      ca: decode(cluster['certificate-authority-data']),
      cert: decode(user['client-certificate-data']),
      key: decode(user['client-key-data']),
    });
    return new Api(new URL(cluster.server), agent);
  }

  close(): void {
    this.agent.destroy();
  }

  private send(method: Method, path: string, body?: unknown, type = 'application/json'): Promise<string> {
    return new Promise((resolve, reject) => {
      const { hostname, port } = this.server;
      const headers = body === undefined ? {} : { 'content-type': type };
      const sent = request(
        { hostname, port, path, method, headers, agent: this.agent, timeout: REQUEST_TIMEOUT_MS },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString();
            const code = response.statusCode ?? 0;
            if (code >= 200 && code < 300) resolve(text);
            else reject(new ApiError(method, path, code, text));
          });
        },
      );
      sent.on('timeout', () => sent.destroy(new Error(`${method} ${path}: no answer in ${REQUEST_TIMEOUT_MS} ms`)));
      sent.on('error', reject);
      sent.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  text(path: string): Promise<string> {
    return this.send('GET', path);
  }

  async get(path: string): Promise<ApiObject> {
    return JSON.parse(await this.send('GET', path));
  }

  /** Undefined where there is no such object. */
  async find(path: string): Promise<ApiObject | undefined> {
    return this.get(path).catch((error) => {
      if (error instanceof ApiError && error.code === 404) return undefined;
      throw error;
    });
  }

  async list(path: string): Promise<readonly ApiObject[]> {
    return JSON.parse(await this.send('GET', path)).items;
  }

  /** Strategic merge, as `kubectl patch` does. */
  async patch(path: string, change: unknown): Promise<void> {
    await this.send('PATCH', path, change, 'application/strategic-merge-patch+json');
  }

  /** Creates the object or makes it what is given (server-side apply). */
  async apply(path: string, object: unknown): Promise<void> {
    await this.send('PATCH', `${path}?fieldManager=lab&force=true`, object, 'application/apply-patch+yaml');
  }

  /** No error where it is already gone. */
  async remove(path: string, graceSeconds?: number): Promise<void> {
    const options = graceSeconds === undefined ? '' : `?gracePeriodSeconds=${graceSeconds}`;
    await this.send('DELETE', `${path}${options}`).catch((error) => {
      if (!(error instanceof ApiError && error.code === 404)) throw error;
    });
  }
}

/** Where an object of this kind lives in the API. */
const COLLECTIONS: Readonly<Record<string, string>> = {
  Namespace: '/api/v1/namespaces',
  Node: '/api/v1/nodes',
  Pod: '/api/v1/*/pods',
  Service: '/api/v1/*/services',
  ServiceAccount: '/api/v1/*/serviceaccounts',
  ConfigMap: '/api/v1/*/configmaps',
  DaemonSet: '/apis/apps/v1/*/daemonsets',
  Deployment: '/apis/apps/v1/*/deployments',
  ClusterRole: '/apis/rbac.authorization.k8s.io/v1/clusterroles',
  ClusterRoleBinding: '/apis/rbac.authorization.k8s.io/v1/clusterrolebindings',
  EndpointSlice: '/apis/discovery.k8s.io/v1/*/endpointslices',
};

/** The API's path of an object; without a name that of the collection. */
export const pathOf = (kind: string, namespace: string | undefined, name?: string): string => {
  const collection = COLLECTIONS[kind];
  if (!collection) throw new Error(`the lab does not know where objects of kind ${kind} live`);
  const folder =
    namespace === undefined ? collection.replace('/*', '') : collection.replace('*', `namespaces/${namespace}`);
  return name === undefined ? folder : `${folder}/${name}`;
};

export const pathOfObject = (object: ApiObject): string =>
  pathOf(object.kind ?? '', object.metadata.namespace, object.metadata.name);
