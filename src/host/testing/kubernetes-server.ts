import { writeFile } from 'node:fs/promises';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: unknown;
}

/** A status with a JSON body; `hang` never answers. */
export type Answer = { readonly status: number; readonly body: unknown } | 'hang';

export interface KubernetesServer {
  readonly asked: Asked[];
  /** Writes a kubeconfig for this server and returns its path. */
  kubeconfig(directory: string, user?: object): Promise<string>;
  close(): Promise<void>;
}

/** As much of an API server as a test says; what `respond` leaves open is answered like a permissive, empty cluster. */
export async function startKubernetesServer(respond: (asked: Asked) => Answer | undefined): Promise<KubernetesServer> {
  const asked: Asked[] = [];
  const server = http.createServer((request, response) => {
    void readJson(request).then((body) => {
      const url = new URL(request.url!, 'http://server');
      const one = {
        method: request.method!,
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body,
      };
      asked.push(one);
      const answer = respond(one) ?? permissive(one);
      if (answer === 'hang') return;
      response.writeHead(answer.status, { 'Content-Type': 'application/json' });
      response.end(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    asked,
    async kubeconfig(directory, user = {}) {
      const file = join(directory, 'kubeconfig');
      const config = {
        'current-context': 'test',
        clusters: [{ name: 'c', cluster: { server: `http://127.0.0.1:${port}` } }],
        users: [{ name: 'u', user }],
        contexts: [{ name: 'test', context: { cluster: 'c', user: 'u' } }],
      };
      await writeFile(file, JSON.stringify(config));
      return file;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

export function status(code: number, reason: string, message: string): Answer {
  return { status: code, body: { kind: 'Status', status: 'Failure', reason, message, code } };
}

function permissive({ method, path, query, body }: Asked): Answer {
  if (query.get('watch')) return 'hang';
  if (path.endsWith('selfsubjectaccessreviews')) return { status: 201, body: { status: { allowed: true } } };
  if (method === 'POST') return { status: 201, body };
  if (/\/nodes\/[^/]+$|\/namespaces\/[^/]+$/.test(path)) return { status: 200, body: { metadata: {}, status: {} } };
  return { status: 200, body: { kind: 'List', items: [] } };
}

async function readJson(request: http.IncomingMessage): Promise<unknown> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString('utf8');
  return text === '' ? undefined : JSON.parse(text);
}
