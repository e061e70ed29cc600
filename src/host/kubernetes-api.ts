import { collectorOf } from '../collect/collectors.ts';
import type { Limits, Reply, Request } from './host.ts';
import { type ApiClient, ApiFailure } from './kubernetes-client.ts';

type Outcome =
  | {
      readonly got: 'raw';
      readonly raw: Uint8Array;
      readonly exitCode: number;
      readonly truncated: boolean;
      readonly tool: string;
    }
  | {
      readonly got: 'nothing';
      readonly gap: 'not-permitted' | 'not-supported' | 'failed' | ApiFailure['gap'];
      readonly detail: string;
    };

interface Bounds {
  readonly signal: AbortSignal;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

/** The path of a list over all namespaces; nodes and namespaces themselves are in none. */
const CLUSTER_WIDE = /^(?<group>\/api\/v1|\/apis\/[^/]+\/[^/]+)\/(?<resource>(?!nodes$|namespaces$)[a-z]+)$/;

/** `{` … `"continue":"TOKEN"` of a list's metadata, which stands before its items. */
const CONTINUE = /"continue":"(?<token>[^"\\]+)"/;
const HEAD_BYTES = 4096;
const EXPIRED = 410;

/**
 * An API fact as the API gave it. A list comes in pages; each page is one line of JSON (a List object), so that a
 * large cluster is never one string. What is beyond `maxBytes` is cut at a page and told as truncated. Never throws.
 *
 * `namespaces`: where the user may not list the whole cluster, these are listed instead, each a page, and the reply is
 * told as truncated, so that nobody concludes from what is not in it.
 */
export async function answerFromApi(
  client: ApiClient,
  request: Request,
  limits: Limits,
  signal: AbortSignal,
  namespaces: readonly string[] = [],
): Promise<Reply> {
  const startedAtMs = Date.now();
  const outcome = await answer(client, request, limits, signal, namespaces).catch((error: unknown): Outcome => {
    if (error instanceof ApiFailure) return { got: 'nothing', gap: error.gap, detail: error.message };
    return { got: 'nothing', gap: 'failed', detail: error instanceof Error ? error.message : String(error) };
  });
  return { request, startedAtMs, tookMs: Date.now() - startedAtMs, ...outcome };
}

async function answer(
  client: ApiClient,
  request: Request,
  limits: Limits,
  signal: AbortSignal,
  namespaces: readonly string[],
): Promise<Outcome> {
  const collector = collectorOf(request.action);
  const how = collector?.how(request.args);
  if (!collector || how?.via !== 'api') {
    return { got: 'nothing', gap: 'not-supported', detail: `the API server does not answer ${request.action}` };
  }
  refuseSecrets(how.path);
  const bounded = {
    signal,
    timeoutMs: Math.min(limits.deadlineMs, collector.limits.timeoutMs),
    maxBytes: Math.min(limits.maxBytes, collector.limits.maxBytes),
  };
  const query = how.query ?? {};
  const { pages, truncated } = await readPages(client, how.path, query, bounded).catch(async (error: unknown) => {
    const part = isForbidden(error) ? await readNamespaces(client, how.path, query, bounded, namespaces) : [];
    if (part.length === 0) throw error;
    return { pages: part, truncated: true };
  });
  return { got: 'raw', raw: joinLines(pages), exitCode: 0, truncated, tool: 'kubernetes' };
}

function isForbidden(error: unknown): boolean {
  return error instanceof ApiFailure && error.status === 403;
}

/** The pages of those namespaces that the user may list; none for what is not a list of namespaced objects. */
async function readNamespaces(
  client: ApiClient,
  path: string,
  query: Readonly<Record<string, string>>,
  bounded: Bounds,
  namespaces: readonly string[],
): Promise<readonly Uint8Array[]> {
  const list = CLUSTER_WIDE.exec(path)?.groups;
  if (!list) return [];
  const lists = namespaces.map((name) =>
    readPages(client, `${list.group}/namespaces/${name}/${list.resource}`, query, bounded).catch(() => undefined),
  );
  return (await Promise.all(lists)).flatMap((one) => one?.pages ?? []);
}

async function readPages(
  client: ApiClient,
  path: string,
  query: Readonly<Record<string, string>>,
  bounded: Bounds,
): Promise<{ pages: readonly Uint8Array[]; truncated: boolean }> {
  const pages: Uint8Array[] = [];
  let left = bounded.maxBytes;
  let token = '';
  do {
    const page = await readPage(
      client,
      { path, query: token ? { ...query, continue: token } : query, ...bounded, maxBytes: left },
      pages.length > 0,
    );
    if (!page) return { pages, truncated: true };
    pages.push(page);
    left -= page.length;
    token = query.limit ? continueToken(page) : '';
  } while (token);
  return { pages, truncated: false };
}

/** undefined where a later page cannot be had any more: the list changed too much meanwhile, or it is too large. */
async function readPage(
  client: ApiClient,
  asked: Parameters<ApiClient['request']>[0],
  isLater: boolean,
): Promise<Uint8Array | undefined> {
  try {
    return (await client.request(asked)).body;
  } catch (error) {
    const cut = error instanceof ApiFailure && (error.status === EXPIRED || error.gap === 'too-large');
    if (cut && isLater) return undefined;
    throw error;
  }
}

function continueToken(page: Uint8Array): string {
  const head = Buffer.from(page.buffer, page.byteOffset, Math.min(page.length, HEAD_BYTES)).toString('utf8');
  const items = head.indexOf('"items":[');
  return CONTINUE.exec(items < 0 ? head : head.slice(0, items))?.groups?.token ?? '';
}

/** The API's JSON has no line break but at its end. */
function joinLines(pages: readonly Uint8Array[]): Uint8Array {
  if (pages.length === 1) return pages[0]!;
  const newline = Buffer.from('\n');
  return Buffer.concat(pages.flatMap((page) => (page.at(-1) === 0x0a ? [page] : [page, newline])));
}

/** No collector asks for one; this is the last door. */
function refuseSecrets(path: string): void {
  if (/\/secrets(\/|$)/.test(path)) throw new Error('podtriage never reads Secrets');
}
