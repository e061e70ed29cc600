import http from 'node:http';
import https from 'node:https';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { Gap } from './host.ts';
import type { Connection } from './kubernetes-connection.ts';
import { KubernetesProblem } from './kubernetes-problem.ts';

export interface ApiRequest {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  readonly query?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly timeoutMs?: number;
  /** Of the answer, unpacked; what is longer is a failure of kind too-large. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

export interface ApiAnswer {
  readonly status: number;
  readonly body: Buffer;
  /** The server's clock, from its Date header; undefined where it sent none. */
  readonly dateMs: number | undefined;
}

/** An answer that is not 2xx, or none. */
export class ApiFailure extends Error {
  override readonly name = 'ApiFailure';
  readonly gap: Gap;
  /** 0 where there was no answer. */
  readonly status: number;
  /** Status.reason of the API (`AlreadyExists`, `Forbidden` …), or the errno. */
  readonly reason: string;

  constructor(gap: Gap, status: number, reason: string, message: string) {
    super(message);
    this.gap = gap;
    this.status = status;
    this.reason = reason;
  }
}

export interface ApiClient {
  readonly connection: Connection;
  /** Resolves with a 2xx answer; throws ApiFailure. */
  request(request: ApiRequest): Promise<ApiAnswer>;
  json<T>(request: ApiRequest): Promise<T>;
  /** The events of a watch until the server, an error or the signal ends it; each is called at once. Never throws. */
  watch(request: ApiRequest, onEvent: (event: WatchEvent) => void): Promise<void>;
}

export interface WatchEvent {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: unknown;
}

const TIMEOUT_MS = 10_000;
const MAX_BYTES = 64 << 20;
const RETRIES = 2;
const RETRY_AFTER_MS = 500;

/**
 * Plain HTTP to the API server. The client library's typed calls would parse and check every object that we only pass
 * on, and loading them costs more than a helper's start.
 */
export function createApiClient(connection: Connection): ApiClient {
  const request = async (asked: ApiRequest): Promise<ApiAnswer> => {
    for (let attempt = 0; ; attempt++) {
      const answer = await exchange(connection, asked);
      if (answer.status >= 200 && answer.status < 300) return answer;
      // 429: the server's own flow control, which asks to come back (KEP-1040).
      if (answer.status !== 429 || attempt === RETRIES) throw failureOf(asked, answer);
      await sleep(RETRY_AFTER_MS * (attempt + 1), asked.signal);
    }
  };
  return {
    connection,
    request,
    async json<T>(asked: ApiRequest): Promise<T> {
      const { body } = await request(asked);
      return JSON.parse(body.toString('utf8')) as T;
    },
    watch: (asked, onEvent) => watch(connection, asked, onEvent),
  };
}

async function exchange(connection: Connection, asked: ApiRequest): Promise<ApiAnswer> {
  const signal = anySignal(asked.signal, AbortSignal.timeout(asked.timeoutMs ?? TIMEOUT_MS));
  try {
    const response = await send(connection, asked, signal);
    const date = Date.parse(response.headers.date ?? '');
    const body = await readBody(response, asked.maxBytes ?? MAX_BYTES);
    return { status: response.statusCode ?? 0, body, dateMs: Number.isNaN(date) ? undefined : date };
  } catch (error) {
    throw noAnswer(connection, asked, error as NodeJS.ErrnoException, signal);
  }
}

async function send(connection: Connection, asked: ApiRequest, signal: AbortSignal): Promise<http.IncomingMessage> {
  const { agent, headers } = await connection.options();
  const body = asked.body === undefined ? undefined : Buffer.from(JSON.stringify(asked.body));
  const url = apiUrl(connection, asked.path, asked.query);
  const options: https.RequestOptions = {
    agent,
    method: asked.method ?? 'GET',
    signal,
    headers: {
      Accept: asked.path.endsWith('/log') ? '*/*' : 'application/json',
      'Accept-Encoding': 'gzip',
      'User-Agent': 'podtriage',
      ...(body ? { 'Content-Type': 'application/json', 'Content-Length': body.length } : {}),
      ...headers,
    },
  };
  return new Promise((resolve, reject) => {
    const outgoing = (url.protocol === 'http:' ? http : https).request(url, options, resolve);
    outgoing.on('error', reject);
    outgoing.end(body);
  });
}

/** The server may stand behind a path of its own (Rancher, `kubectl proxy`). */
export function apiUrl(connection: Connection, path: string, query?: Readonly<Record<string, string>>): URL {
  const url = new URL(connection.server.href.replace(/\/$/, '') + path);
  for (const [key, value] of Object.entries(query ?? {})) url.searchParams.append(key, value);
  return url;
}

async function readBody(response: http.IncomingMessage, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of unpacked(response)) {
    size += part.length;
    if (size > maxBytes) {
      response.destroy();
      throw new ApiFailure(
        'too-large',
        response.statusCode ?? 0,
        'TooLarge',
        `the answer is larger than ${maxBytes} bytes`,
      );
    }
    parts.push(part);
  }
  return Buffer.concat(parts);
}

function unpacked(response: http.IncomingMessage): Readable {
  if (response.headers['content-encoding'] !== 'gzip') return response;
  const gunzip = createGunzip();
  response.on('error', (error) => gunzip.destroy(error));
  return response.pipe(gunzip);
}

function failureOf(asked: ApiRequest, { status, body }: ApiAnswer): ApiFailure {
  const { reason, message } = statusOf(body);
  const said = message ?? (body.toString('utf8', 0, 300).trim() || 'no message');
  return new ApiFailure(
    gapOf(status),
    status,
    reason ?? '',
    `${asked.method ?? 'GET'} ${asked.path}: ${status} ${said}`,
  );
}

/** 404 is a kind that this server does not have, or an object that is gone; neither is a right that lacks. */
function gapOf(status: number): Gap {
  if (status === 401 || status === 403) return 'not-permitted';
  if (status === 404) return 'not-supported';
  if (status === 504 || status === 408) return 'timed-out';
  return status === 502 || status === 503 ? 'unreachable' : 'failed';
}

function statusOf(body: Buffer): { reason?: string; message?: string } {
  try {
    return JSON.parse(body.toString('utf8')) as { reason?: string; message?: string };
  } catch {
    return {};
  }
}

function noAnswer(connection: Connection, asked: ApiRequest, error: NodeJS.ErrnoException, signal: AbortSignal): Error {
  if (error instanceof ApiFailure || error instanceof KubernetesProblem) return error;
  const { host } = connection.server;
  if (asked.signal?.aborted) return new ApiFailure('timed-out', 0, 'Aborted', 'the run was stopped');
  if (signal.aborted) return new ApiFailure('timed-out', 0, 'Timeout', `${host} did not answer ${asked.path} in time`);
  return new ApiFailure('unreachable', 0, error.code ?? '', `cannot reach the API server ${host}: ${error.message}`);
}

async function watch(connection: Connection, asked: ApiRequest, onEvent: (event: WatchEvent) => void): Promise<void> {
  try {
    const signal = asked.signal ?? new AbortController().signal;
    const response = await send(connection, { ...asked, query: { ...asked.query, watch: '1' } }, signal);
    const body = unpacked(response);
    if (response.statusCode !== 200) return void response.resume();
    for await (const line of createInterface({ input: body, crlfDelay: Number.POSITIVE_INFINITY })) {
      if (line !== '') onEvent(JSON.parse(line) as WatchEvent);
    }
  } catch {
    // A watch only makes things faster; whoever needs certainty reads the object.
  }
}

function anySignal(given: AbortSignal | undefined, own: AbortSignal): AbortSignal {
  return given ? AbortSignal.any([given, own]) : own;
}

export function sleep(milliseconds: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, milliseconds);
    signal?.addEventListener('abort', done, { once: true });
    function done(): void {
      clearTimeout(timer);
      signal?.removeEventListener('abort', done);
      resolve();
    }
  });
}
