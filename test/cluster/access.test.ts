import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { DEFAULT_IMAGE } from '../../src/cli/default-image.ts';
import type { Reply, Request } from '../../src/host/host.ts';
import { createKubernetesHost, type KubernetesHost, type KubernetesOptions } from '../../src/host/kubernetes.ts';
import { type ApiClient, createApiClient } from '../../src/host/kubernetes-client.ts';
import { loadKubeContext } from '../../src/host/kubernetes-config.ts';
import { connect } from '../../src/host/kubernetes-connection.ts';
import { MANAGED_BY, podManifest, RUN_LABEL } from '../../src/host/kubernetes-helper-manifest.ts';
import { CLUSTER, hostOf } from '../../src/net/place.ts';
import type { Node, Pod } from '../../src/snapshot/objects.ts';

/** A cluster whose nodes have the image (`npm run image`); its user may do everything. */
const kubeconfig = process.env.PODTRIAGE_TEST_KUBECONFIG ?? '';
const root = join(import.meta.dirname, '../..');
const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string };
const image = process.env.PODTRIAGE_TEST_IMAGE ?? DEFAULT_IMAGE;
const LIMITS = { deadlineMs: 20_000, maxBytes: 1 << 25 };
/** The node side ends 10 s after the last word it heard; the kubelet needs a moment to tell. */
const SILENCE_MS = 20_000;

const why = kubeconfig ? '' : ' (skipped: PODTRIAGE_TEST_KUBECONFIG names no cluster)';

describe.skipIf(!kubeconfig)(`access to a cluster${why}`, { timeout: 90_000 }, () => {
  let admin: ApiClient;
  let nodes: string[];
  /** An address of the nodes' own network that nobody has: a connect to it hangs for some seconds, and never leaves it. */
  let nobody: string;
  let directory: string;
  const hosts: KubernetesHost[] = [];
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    admin = createApiClient(await connect(await loadKubeContext({ kubeconfig })));
    const list = await admin.json<{ items: Node[] }>({ path: '/api/v1/nodes' });
    nodes = list.items.map(({ metadata }) => metadata.name).slice(0, 2);
    const [own] = list.items
      .flatMap(({ status }) => status.addresses ?? [])
      .filter(({ type }) => type === 'InternalIP');
    nobody = (own?.address ?? '').replace(/\d+$/, '213');
    directory = await mkdtemp(join(tmpdir(), 'podtriage-access-'));
    await applyRoles(admin);
  });

  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await Promise.all(hosts.map((host) => host.close()));
    await rm(directory, { recursive: true });
    admin.connection.close();
  });

  async function hostWith(options: Partial<KubernetesOptions> = {}): Promise<KubernetesHost> {
    const host = await createKubernetesHost({ kubeconfig, image, version, ...options });
    hosts.push(host);
    return host;
  }

  /** Jobs and pods of a run that are still there. */
  async function left(runId: string): Promise<(Pod & { kind: string })[]> {
    const query = { labelSelector: `${RUN_LABEL}=${runId}` };
    const paths = ['/apis/batch/v1/namespaces/podtriage/jobs', '/api/v1/namespaces/podtriage/pods'];
    const lists = await Promise.all(paths.map((path) => admin.json<{ kind: string; items: Pod[] }>({ path, query })));
    return lists.flatMap(({ kind, items }) => items.map((item) => ({ ...item, kind })));
  }

  async function nothingLeft(runId: string): Promise<void> {
    await expect
      .poll(async () => (await left(runId)).map(({ metadata }) => metadata.name), { timeout: 5_000 })
      .toEqual([]);
  }

  test('every node answers, and nothing is left', async () => {
    const host = await hostWith();
    const begunAtMs = Date.now();
    host.prepare(nodes);
    const replies = await all(host, [
      ask('api.pods'),
      ...nodes.flatMap((node) => [ask('links', node), ask('kernel', node)]),
    ]);
    expect(replies.map(({ got }) => got)).toEqual(replies.map(() => 'raw'));
    for (const reply of replies.filter(({ request }) => request.action === 'links')) {
      expect(JSON.parse(rawText(reply)).map((link: { ifname: string }) => link.ifname)).toContain('lo');
    }
    console.log(`helpers on ${nodes.length} nodes started and asked in ${Date.now() - begunAtMs} ms`);
    const lines = await host.close();
    expect(lines.filter((line) => line.startsWith('job ') && line.endsWith(': removed'))).toHaveLength(nodes.length);
    await nothingLeft(host.runId);
  });

  test('an image that no node has is told within 15 s, with the command to bring it there', async () => {
    const host = await hostWith({ image: 'localhost/podtriage:absent' });
    const begunAtMs = Date.now();
    const [reply] = await all(host, [ask('links', nodes[0])]);
    expect(Date.now() - begunAtMs).toBeLessThan(16_000);
    expect(reply).toMatchObject({ got: 'nothing', gap: 'unreachable' });
    expect(detailOf(reply)).toMatch(/ErrImage.*npm run image -- --output .*import|load/s);
    await host.close();
    await nothingLeft(host.runId);
  });

  test('an image that is not ours is told as such', async () => {
    const foreign = (await admin.json<{ items: Pod[] }>({ path: '/api/v1/pods' })).items.find(
      ({ spec, status }) => spec.nodeName === nodes[0] && status.phase === 'Running',
    )!.spec.containers[0]!.image!;
    const host = await hostWith({ image: foreign });
    const [reply] = await all(host, [ask('links', nodes[0])]);
    expect(detailOf(reply)).toContain('not an image of podtriage');
    await host.close();
    await nothingLeft(host.runId);
  });

  test('a node that does not exist does not hold up the others', async () => {
    const host = await hostWith();
    const replies = await all(host, [ask('links', 'no-such-node'), ask('links', nodes[0])]);
    const got = new Map(replies.map((reply) => [reply.request.place.node, reply.got === 'raw' ? 'raw' : reply.gap]));
    expect(got).toEqual(
      new Map([
        ['no-such-node', 'unreachable'],
        [nodes[0], 'raw'],
      ]),
    );
    await host.close();
  });

  test('two runs at once do not disturb each other', async () => {
    const [one, two] = await Promise.all([hostWith(), hostWith()]);
    await Promise.all([all(one, [ask('links', nodes[0])]), all(two, [ask('links', nodes[0])])]);
    await one.close();
    expect((await all(two, [ask('routes', nodes[0], { family: 4 })]))[0]).toMatchObject({ got: 'raw' });
    await two.close();
    await nothingLeft(one.runId);
    await nothingLeft(two.runId);
  });

  test('closing while helpers are starting leaves nothing', async () => {
    const host = await hostWith();
    host.prepare(nodes);
    await sleep(60);
    await host.close();
    await nothingLeft(host.runId);
  });

  test('Ctrl-C in the middle removes everything', async () => {
    const run = await startRun(children, [kubeconfig, image, nodes[0]!, nobody]);
    run.child.kill('SIGINT');
    expect(await run.exit).toBe(130);
    expect(run.output()).toMatch(/job podtriage\/.*: removed/);
    await nothingLeft(run.runId);
  });

  test('after kill -9 the helper ends by itself, and the next run sweeps what is left', async () => {
    const run = await startRun(children, [kubeconfig, image, nodes[0]!, nobody]);
    run.child.kill('SIGKILL');
    await run.exit;
    await expect.poll(async () => goingOn(await left(run.runId)), { timeout: SILENCE_MS, interval: 500 }).toEqual([]);
    const host = await hostWith();
    await all(host, [ask('links', nodes[0])]);
    const swept = (await host.close()).filter((line) => line.includes('left by an earlier run'));
    // The cluster itself removes the finished Job after 30 s; who comes first does not matter.
    expect(swept.every((line) => line.endsWith(': removed'))).toBe(true);
    await nothingLeft(run.runId);
  });

  test('a lost connection is told at once, and the helper ends by itself', async () => {
    const proxy = await startProxy(kubeconfig, directory);
    const host = await createKubernetesHost({ kubeconfig: proxy.kubeconfig, image, version });
    await all(host, [ask('links', nodes[0])]);
    const slow = all(host, [ask('probe.tcp', nodes[0], { address: nobody, port: 9, timeoutMs: 15_000 })]);
    await sleep(300);
    proxy.cut();
    const cutAtMs = Date.now();
    expect((await slow)[0]).toMatchObject({ got: 'nothing', gap: 'unreachable' });
    expect(Date.now() - cutAtMs).toBeLessThan(3_000);
    expect((await host.close()).join('\n')).toMatch(/not removed: cannot reach/);
    expect(Date.now() - cutAtMs).toBeLessThan(10_000);
    await expect.poll(async () => goingOn(await left(host.runId)), { timeout: SILENCE_MS, interval: 500 }).toEqual([]);
  });

  test('leftovers past their deadline are swept; those of a run that may be going on are not', async () => {
    const settings = { image, namespace: 'podtriage', privileged: false, memoryMebibytes: 256 };
    const path = '/api/v1/namespaces/podtriage/pods';
    const old = podManifest({ ...settings, runId: 'old', lifetimeSeconds: 1 }, 'podtriage-old-0', nodes[0]!);
    const fresh = podManifest({ ...settings, runId: 'fresh', lifetimeSeconds: 60 }, 'podtriage-fresh-0', nodes[0]!);
    await Promise.all([old, fresh].map((body) => admin.request({ method: 'POST', path, body })));
    await expect
      .poll(async () => (await left('old'))[0]?.status.phase, { timeout: SILENCE_MS, interval: 300 })
      .toMatch(/Failed|Succeeded/);
    const host = await hostWith();
    await all(host, [ask('links', nodes[0])]);
    const lines = await host.close();
    expect(lines).toContain('pod podtriage/podtriage-old-0, left by an earlier run: removed');
    expect(await left('fresh')).toHaveLength(1);
    await admin.request({ method: 'DELETE', path: `${path}/podtriage-fresh-0`, body: { gracePeriodSeconds: 0 } });
  });

  test('a user without rights learns which, and creates nothing', async () => {
    const host = await hostWith({ as: { user: 'podtriage-test-nobody' } });
    const replies = await all(host, [ask('api.pods'), ask('api.access'), ask('links', nodes[0])]);
    const by = new Map(replies.map((reply) => [reply.request.action, reply]));
    expect(by.get('api.pods')).toMatchObject({ gap: 'not-permitted' });
    expect(by.get('links')).toMatchObject({ gap: 'not-permitted' });
    expect(detailOf(by.get('links'))).toContain('create pods/exec in namespace podtriage');
    expect(JSON.parse(rawText(by.get('api.access')))).toContainEqual(
      expect.objectContaining({ verb: 'list', resource: 'pods', allowed: false }),
    );
    expect(await host.close()).toEqual([]);
    expect(await left(host.runId)).toEqual([]);
  });

  test('a user who may only read keeps the API objects', async () => {
    const host = await hostWith({ as: { user: 'podtriage-test-reader' } });
    const replies = await all(host, [ask('api.pods'), ask('links', nodes[0])]);
    const got = new Map(replies.map((reply) => [reply.request.action, reply.got === 'raw' ? 'raw' : reply.gap]));
    expect(got).toEqual(
      new Map([
        ['api.pods', 'raw'],
        ['links', 'not-permitted'],
      ]),
    );
  });

  test('the roles of deploy/rbac.yaml suffice', async () => {
    const host = await hostWith({ as: { user: 'podtriage-test-user', groups: ['podtriage-users'] } });
    const api = ['version', 'access', 'pods', 'nodes', 'namespaces', 'services', 'endpointslices', 'networkpolicies'];
    const requests = [...api, 'daemonsets', 'deployments'].map((name) => ask(`api.${name}`));
    requests.push(ask('api.configmaps', '', { namespace: 'kube-system' }), ask('links', nodes[0]));
    const replies = await all(host, requests);
    expect(replies.filter(({ got }) => got === 'nothing')).toEqual([]);
    expect((await host.close()).join('\n')).toMatch(/job podtriage\/.*: removed/);
    await nothingLeft(host.runId);
  });

  test('who may make Pods but no Jobs gets a bare Pod', async () => {
    const host = await hostWith({ as: { user: 'podtriage-test-pods' } });
    expect((await all(host, [ask('links', nodes[0])]))[0]).toMatchObject({ got: 'raw' });
    expect((await host.close()).join('\n')).toMatch(/pod podtriage\/.*: removed/);
    await nothingLeft(host.runId);
  });

  test('a namespace that enforces a Pod Security level says so', async () => {
    const name = `podtriage-test-${process.pid}`;
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    const body = { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } };
    await admin.request({ method: 'POST', path: '/api/v1/namespaces', body });
    try {
      const host = await hostWith({ helperNamespace: name });
      const [reply] = await all(host, [ask('links', nodes[0])]);
      expect(reply).toMatchObject({ gap: 'not-permitted' });
      expect(detailOf(reply)).toContain('violates PodSecurity');
      await host.close();
    } finally {
      await admin.request({ method: 'DELETE', path: `/api/v1/namespaces/${name}` });
    }
  });

  test('a dry run creates nothing that the server would not accept', async () => {
    const host = await hostWith();
    for (const manifest of await host.plannedObjects(nodes)) {
      if (manifest.kind !== 'Job') continue;
      const path = '/apis/batch/v1/namespaces/podtriage/jobs';
      await admin.request({
        method: 'POST',
        path,
        query: { dryRun: 'All', fieldValidation: 'Strict' },
        body: manifest,
      });
    }
    expect(await left(host.runId)).toEqual([]);
  });
});

function ask(action: string, node = '', args: Request['args'] = {}): Request {
  return { action, place: node ? hostOf(node) : CLUSTER, args, round: 0 };
}

async function all(host: KubernetesHost, requests: readonly Request[]): Promise<Reply[]> {
  const replies: Reply[] = [];
  for await (const reply of host.perform(requests, LIMITS, new AbortController().signal)) replies.push(reply);
  expect(replies).toHaveLength(requests.length);
  return replies;
}

function rawText(reply: Reply | undefined): string {
  return reply?.got === 'raw' ? Buffer.from(reply.raw).toString('utf8') : '';
}

function detailOf(reply: Reply | undefined): string {
  return reply?.got === 'nothing' ? reply.detail : '';
}

/** Names of Jobs and pods that have not ended. */
function goingOn(objects: readonly (Pod & { kind: string })[]): string[] {
  const ended = ({ phase, conditions }: Pod['status']): boolean =>
    phase === 'Failed' ||
    phase === 'Succeeded' ||
    (conditions ?? []).some(({ type, status }) => (type === 'Failed' || type === 'Complete') && status === 'True');
  return objects.filter(({ status }) => !ended(status)).map(({ metadata }) => metadata.name);
}

interface Run {
  readonly child: ChildProcess;
  readonly runId: string;
  readonly exit: Promise<number | null>;
  output(): string;
}

/** Resolves when the run has its first answer from the node. */
async function startRun(children: ChildProcess[], args: readonly string[]): Promise<Run> {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'access-run.ts'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  const exit = new Promise<number | null>((resolve) => child.on('exit', resolve));
  const lines: string[] = [];
  const ready = Promise.withResolvers<string>();
  createInterface({ input: child.stdout! }).on('line', (line) => {
    lines.push(line);
    if (line.startsWith('ready ')) ready.resolve(line.slice('ready '.length));
  });
  void exit.then((code) => ready.reject(new Error(`the run ended with ${code}: ${lines.join('\n')}`)));
  return { child, runId: await ready.promise, exit, output: () => lines.join('\n') };
}

/** A way to the API server that can be cut. */
async function startProxy(from: string, directory: string): Promise<{ kubeconfig: string; cut: () => void }> {
  const config = parse(await readFile(from, 'utf8')) as { clusters: { cluster: Record<string, string> }[] };
  const { cluster } = config.clusters[0]!;
  const target = new URL(cluster.server!);
  const sockets = new Set<net.Socket>();
  const server = net.createServer((inner) => {
    const outer = net.connect(Number(target.port || 443), target.hostname.replace(/^\[|\]$/g, ''));
    for (const socket of [inner, outer]) {
      sockets.add(socket);
      socket.on('error', () => undefined);
    }
    inner.pipe(outer).pipe(inner);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cluster.server = `https://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
  cluster['tls-server-name'] = 'kubernetes.default.svc';
  const file = join(directory, 'through-proxy');
  await writeFile(file, JSON.stringify(config));
  return {
    kubeconfig: file,
    cut: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** deploy/rbac.yaml as it is, and two users with less. */
async function applyRoles(admin: ApiClient): Promise<void> {
  const shipped = parseAllDocuments(await readFile(join(root, 'deploy/rbac.yaml'), 'utf8')).map((one) => one.toJS());
  const role = (name: string, rules: object[]) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRole',
    metadata: { name, labels: MANAGED_BY },
    rules,
  });
  const binding = (name: string) => ({
    apiVersion: 'rbac.authorization.k8s.io/v1',
    kind: 'ClusterRoleBinding',
    metadata: { name, labels: MANAGED_BY },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name },
    subjects: [{ apiGroup: 'rbac.authorization.k8s.io', kind: 'User', name }],
  });
  const read = { apiGroups: [''], resources: ['pods', 'namespaces', 'nodes'], verbs: ['get', 'list'] };
  const make = {
    apiGroups: [''],
    resources: ['pods', 'pods/exec'],
    verbs: ['create', 'get', 'list', 'watch', 'delete'],
  };
  const own = [
    role('podtriage-test-reader', [read]),
    binding('podtriage-test-reader'),
    role('podtriage-test-pods', [read, make]),
    binding('podtriage-test-pods'),
  ];
  for (const object of [...shipped, ...own]) await apply(admin, object);
}

async function apply(
  admin: ApiClient,
  object: { kind: string; metadata: { name: string; namespace?: string } },
): Promise<void> {
  const kind = `${object.kind.toLowerCase()}s`;
  const group = object.kind === 'Namespace' ? '/api/v1' : '/apis/rbac.authorization.k8s.io/v1';
  const inside = object.metadata.namespace ? `/namespaces/${object.metadata.namespace}` : '';
  await admin
    .request({ method: 'POST', path: `${group}${inside}/${kind}`, body: object })
    .catch((error: { reason?: string }) => {
      if (error.reason !== 'AlreadyExists') throw error;
    });
}
