/**
 * Records what a lab cluster's nodes and pods answer to a walk's questions, for fixtures of the simulator:
 *   node tools/record-replies.ts --node w1=PID --node w2=PID --pod w1/demo/web-1 … > fixture.json
 * A node is given by its first process's pid on this machine; the API's lists come from kubectl.
 */
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { requestsForCluster } from '../src/collect/plan.ts';
import type { Reply, Request } from '../src/host/host.ts';
import { createLocalHost } from '../src/host/local.ts';
import { CLUSTER, hostOf, podPlace } from '../src/net/place.ts';
import { factsForNamespace } from '../src/simulate/facts-for-namespace.ts';
import { nftHookEntries } from '../src/simulate/nftables.ts';
import { createSnapshot } from '../src/snapshot/create-snapshot.ts';

const API_PATHS: Readonly<Record<string, string>> = {
  'api.pods': '/api/v1/pods',
  'api.nodes': '/api/v1/nodes',
  'api.namespaces': '/api/v1/namespaces',
  'api.services': '/api/v1/services',
  'api.endpointslices': '/apis/discovery.k8s.io/v1/endpointslices',
  'api.networkpolicies': '/apis/networking.k8s.io/v1/networkpolicies',
  'api.daemonsets': '/apis/apps/v1/daemonsets',
  'api.deployments': '/apis/apps/v1/deployments',
};

const { values } = parseArgs({
  options: {
    node: { type: 'string', multiple: true },
    pod: { type: 'string', multiple: true },
    family: { type: 'string' },
  },
});
const families =
  values.family === undefined ? ([4] as const) : values.family === '6' ? ([6] as const) : ([4, 6] as const);
const nodes = Object.fromEntries((values.node ?? []).map((one) => one.split('=') as [string, string]));

const api = apiReplies();
const replies = [...api, ...(await nodeReplies())];
process.stdout.write(`[\n${replies.map((reply) => JSON.stringify(portable(reply))).join(',\n')}\n]\n`);

/** Bytes as text, so that a fixture can be read and edited. */
function portable(reply: Reply): unknown {
  return reply.got === 'raw' ? { ...reply, raw: new TextDecoder().decode(reply.raw) } : reply;
}

function apiReplies(): Reply[] {
  return requestsForCluster().flatMap((request) => {
    const path = API_PATHS[request.action];
    if (path === undefined) return [];
    const text = execFileSync('kubectl', ['get', '--raw', path], { encoding: 'utf8', maxBuffer: 1 << 26 });
    const list = JSON.parse(text) as { items: { metadata: { managedFields?: unknown } }[] };
    for (const item of list.items) delete item.metadata.managedFields;
    return [rawReply({ ...request, place: CLUSTER }, JSON.stringify(list))];
  });
}

function rawReply(request: Request, text: string): Reply {
  const raw = new TextEncoder().encode(text);
  return { request, startedAtMs: 0, tookMs: 0, got: 'raw', raw, exitCode: 0, truncated: false, tool: '' };
}

async function nodeReplies(): Promise<Reply[]> {
  const host = createLocalHost({
    nodes: Object.fromEntries(Object.entries(nodes).map(([name, pid]) => [name, { initPid: Number(pid) }])),
  });
  const pods = (values.pod ?? []).map((one) => one.split('/') as [string, string, string]);
  const uids = uidsByPod();
  const requests = families.flatMap((family) => [
    ...Object.keys(nodes).flatMap((node) => factsForNamespace(hostOf(node), family)),
    ...pods.flatMap(([node, namespace, name]) =>
      factsForNamespace(podPlace(node, namespace, name), family).map((request) => ({
        ...request,
        podUid: uids.get(`${namespace}/${name}`)!,
      })),
    ),
  ]);
  const found: Reply[] = [];
  const limits = { deadlineMs: Date.now() + 60_000, maxBytes: 1 << 26 };
  const ask = async (some: readonly Request[]): Promise<void> => {
    for await (const reply of host.perform(some, limits, AbortSignal.timeout(60_000))) found.push(reply);
  };
  await ask(requests);
  const snapshot = createSnapshot([...api, ...found]);
  const places = Object.keys(nodes).flatMap((node) => snapshot.placesOf(node));
  await ask(places.flatMap((place) => nftHookEntries(snapshot, place, 4).wants));
  await host.close();
  return found
    .map((reply) => ({ ...reply, startedAtMs: 0, tookMs: 0 }))
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
}

function keyOf({ request }: Reply): string {
  return `${request.place.node} ${request.place.namespace} ${request.action} ${JSON.stringify(request.args)}`;
}

function uidsByPod(): Map<string, string> {
  const reply = api.find((one) => one.request.action === 'api.pods')!;
  const list = JSON.parse(new TextDecoder().decode((reply as { raw: Uint8Array }).raw)) as {
    items: { metadata: { namespace: string; name: string; uid: string } }[];
  };
  return new Map(list.items.map(({ metadata }) => [`${metadata.namespace}/${metadata.name}`, metadata.uid]));
}
