/**
 * A Kubernetes API of one file: lists, watches that never tell anything, and writes that are taken over, without
 * rights, so that real programs write their rules in a namespace without a cluster.
 *   node api-server.ts OBJECTS.ts [VARIANT]     serves what that module's `objects(VARIANT)` gives, on 127.0.0.1:8001,
 * with TLS where the environment's TLS names a key and certificate, `$TLS.key` and `$TLS.crt`.
 */
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { pathToFileURL } from 'node:url';

interface KubernetesObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
}

const PLURALS: Readonly<Record<string, string>> = { NetworkPolicy: 'networkpolicies', ServiceCIDR: 'servicecidrs' };
const KINDS: Readonly<Record<string, string>> = {
  services: 'Service',
  endpointslices: 'EndpointSlice',
  endpoints: 'Endpoints',
  nodes: 'Node',
  pods: 'Pod',
  namespaces: 'Namespace',
  networkpolicies: 'NetworkPolicy',
  servicecidrs: 'ServiceCIDR',
  events: 'Event',
  leases: 'Lease',
};

const [file, variant] = process.argv.slice(2);
const module = (await import(pathToFileURL(file!).href)) as { objects: (variant?: string) => KubernetesObject[] };
const stored = new Map(module.objects(variant).map((object) => [pathOf(object), withIdentity(object)]));

const handle = (request: IncomingMessage, response: ServerResponse): void => void answer(request, response);
const { TLS } = process.env;
const server = TLS
  ? createSecureServer({ key: readFileSync(`${TLS}.key`), cert: readFileSync(`${TLS}.crt`) }, handle)
  : createServer(handle);
server.listen(8001, '127.0.0.1', () => console.log('listening'));

function pathOf({ apiVersion, kind, metadata }: KubernetesObject): string {
  const root = apiVersion === 'v1' ? '/api/v1' : `/apis/${apiVersion}`;
  const plural = PLURALS[kind] ?? `${kind.toLowerCase()}s`.replace('endpointss', 'endpoints');
  return `${root}${metadata.namespace === undefined ? '' : `/namespaces/${metadata.namespace}`}/${plural}/${metadata.name}`;
}

function withIdentity(object: KubernetesObject): KubernetesObject {
  return {
    ...object,
    metadata: { resourceVersion: '1', uid: `uid-${object.metadata.name}`, ...object.metadata } as never,
  };
}

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url!, 'http://localhost');
  console.log(request.method, request.url);
  if (request.method !== 'GET') return write(request, response, url.pathname);
  if (url.pathname === '/version') return send(response, 200, { major: '1', minor: '34', gitVersion: 'v1.34.4' });
  const one = stored.get(url.pathname);
  if (one) return send(response, 200, one);
  const plural = url.pathname.split('/').at(-1)!;
  if (KINDS[plural] === undefined) return send(response, 404, status(404, 'NotFound'));
  if (url.searchParams.get('sendInitialEvents') === 'true') return send(response, 400, status(400, 'BadRequest'));
  if (url.searchParams.get('watch') === 'true' || url.searchParams.get('watch') === '1') return watch(response);
  const items = [...stored].flatMap(([path, object]) => (isListed(path, object, url) ? [object] : []));
  const apiVersion = url.pathname.startsWith('/api/v1/') ? 'v1' : url.pathname.split('/').slice(2, 4).join('/');
  send(response, 200, { kind: `${KINDS[plural]}List`, apiVersion, metadata: { resourceVersion: '1' }, items });
}

function isListed(path: string, object: KubernetesObject, url: URL): boolean {
  const asked = url.pathname.split('/');
  const parts = path.split('/');
  if (parts.at(-2) !== asked.at(-1)) return false;
  if (!path.startsWith(`${asked.slice(0, -1).join('/')}/`)) return false;
  const fields = (url.searchParams.get('fieldSelector') ?? '').split(',').filter(Boolean);
  const labels = (url.searchParams.get('labelSelector') ?? '').split(',').filter(Boolean);
  return (
    fields.every((field) => !field.startsWith('metadata.name=') || field === `metadata.name=${object.metadata.name}`) &&
    labels.every((label) => {
      const own = object.metadata.labels ?? {};
      if (label.startsWith('!')) return !Object.hasOwn(own, label.slice(1));
      const [key, value] = label.split('=');
      return value === undefined ? Object.hasOwn(own, key!) : own[key!] === value;
    })
  );
}

/** A watch that stays open and has no news. */
function watch(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json', 'transfer-encoding': 'chunked' });
  response.flushHeaders();
}

async function write(request: IncomingMessage, response: ServerResponse, path: string): Promise<void> {
  let text = '';
  for await (const chunk of request) text += chunk;
  const target = path.replace(/\/status$/, '');
  let body: Record<string, unknown>;
  try {
    body = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return send(response, 415, status(415, 'UnsupportedMediaType'));
  }
  const known = stored.get(target);
  const next = request.method === 'PATCH' ? merged(known, body) : body;
  if (known) stored.set(target, next as never);
  send(response, request.method === 'POST' ? 201 : 200, next);
}

/** RFC 7386; enough for the strategic patches that nodes get. */
function merged(former: unknown, patch: unknown): unknown {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = { ...(typeof former === 'object' ? (former as object) : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merged(result[key], value);
  }
  return result;
}

function status(code: number, reason: string): unknown {
  return { kind: 'Status', apiVersion: 'v1', status: 'Failure', reason, code, message: reason };
}

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
