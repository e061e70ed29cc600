import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CLUSTER, hostOf } from '../net/place.ts';
import type { Reply, Request } from './host.ts';
import { createKubernetesHost, type KubernetesHost, type KubernetesOptions } from './kubernetes.ts';
import {
  type Answer,
  type Asked,
  type KubernetesServer,
  startKubernetesServer,
  status,
} from './testing/kubernetes-server.ts';

const LIMITS = { deadlineMs: 3_000, maxBytes: 1 << 20 };
const QUICK = { takenMs: 300, runningMs: 600, answersMs: 400 };

let directory: string;
let server: KubernetesServer | undefined;
let host: KubernetesHost | undefined;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'podtriage-test-'));
});

afterEach(async () => {
  await host?.close();
  await server?.close();
  await rm(directory, { recursive: true });
  host = undefined;
  server = undefined;
});

async function hostOn(
  respond: (asked: Asked) => Answer | undefined,
  options: Partial<KubernetesOptions> = {},
): Promise<KubernetesHost> {
  server = await startKubernetesServer(respond);
  const kubeconfig = await server.kubeconfig(directory);
  host = await createKubernetesHost({ kubeconfig, image: 'i:1', version: '0.1.0', startLimits: QUICK, ...options });
  return host;
}

function ask(action: string, node = '', args: Request['args'] = {}): Request {
  return { action, place: node ? hostOf(node) : CLUSTER, args, round: 0 };
}

async function replies(
  of: KubernetesHost,
  requests: readonly Request[],
  limits = LIMITS,
  signal = new AbortController().signal,
): Promise<Reply[]> {
  const all: Reply[] = [];
  for await (const reply of of.perform(requests, limits, signal)) all.push(reply);
  return all;
}

const text = (reply: Reply | undefined): string =>
  reply?.got === 'raw' ? Buffer.from(reply.raw).toString() : 'nothing';

describe('API facts', () => {
  it('come in pages, each a line of JSON as the server wrote it', async () => {
    const page = (name: string, next?: string): Answer => ({
      status: 200,
      body: `{"kind":"PodList","metadata":{${next ? `"continue":"${next}"` : ''}},"items":[{"name":"${name}"}]}\n`,
    });
    const on = await hostOn(({ path, query }) => {
      if (path !== '/api/v1/pods') return undefined;
      return query.get('continue') === 'more=' ? page('b') : page('a', 'more=');
    });
    const [reply] = await replies(on, [ask('api.pods')]);
    const lines = text(reply).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).items[0].name)).toEqual(['a', 'b']);
    expect(reply).toMatchObject({ got: 'raw', truncated: false });
    expect(server!.asked.find(({ path }) => path === '/api/v1/pods')!.query.get('limit')).toBe('500');
  });

  it('does not take an item’s own field for the continue token', async () => {
    const body = '{"kind":"PodList","metadata":{},"items":[{"x":{"continue":"no"}}]}';
    const on = await hostOn(({ path }) => (path === '/api/v1/pods' ? { status: 200, body } : undefined));
    await replies(on, [ask('api.pods')]);
    expect(server!.asked.filter(({ path }) => path === '/api/v1/pods')).toHaveLength(1);
  });

  it('are told as truncated where a later page expired or is too large', async () => {
    const first = { kind: 'PodList', metadata: { continue: 'next' }, items: ['x'.repeat(500)] };
    const later: { [path: string]: Answer } = {
      '/api/v1/pods': status(410, 'Expired', 'the continue token is too old'),
      '/api/v1/services': { status: 200, body: { items: ['y'.repeat(2000)] } },
    };
    const on = await hostOn(({ path, query }) => {
      if (!later[path]) return undefined;
      return query.has('continue') ? later[path] : { status: 200, body: first };
    });
    const all = await replies(on, [ask('api.pods'), ask('api.services')], { ...LIMITS, maxBytes: 1500 });
    expect(all).toHaveLength(2);
    for (const reply of all) expect(reply).toMatchObject({ got: 'raw', truncated: true });
  });

  it('are gaps that say why: forbidden, not served, too large, no such collector', async () => {
    const on = await hostOn(({ path }) => {
      if (path.endsWith('/pods')) return status(403, 'Forbidden', 'User "eve" cannot list resource "pods"');
      if (path.endsWith('/endpointslices')) return status(404, 'NotFound', 'no such kind');
      if (path === '/api/v1/nodes') return { status: 200, body: 'x'.repeat(3000) };
      return undefined;
    });
    const asked = ['api.pods', 'api.endpointslices', 'api.nodes', 'links'].map((action) => ask(action));
    const all = await replies(on, asked, { ...LIMITS, maxBytes: 2000 });
    const gaps = new Map(all.map((one) => [one.request.action, one.got === 'nothing' ? one : undefined]));
    expect(gaps.get('api.pods')).toMatchObject({ gap: 'not-permitted' });
    expect(gaps.get('api.pods')!.detail).toContain('User "eve" cannot list');
    expect(gaps.get('api.endpointslices')).toMatchObject({ gap: 'not-supported' });
    expect(gaps.get('api.nodes')).toMatchObject({ gap: 'too-large' });
    expect(gaps.get('links')).toMatchObject({ gap: 'not-supported' });
  });

  it('come from the user’s own namespaces where the cluster may not be listed, and are told as a part', async () => {
    const on = await hostOn(
      ({ path }) => {
        if (path === '/api/v1/pods' || path === '/api/v1/nodes') return status(403, 'Forbidden', 'no');
        if (path === '/api/v1/namespaces/default/pods') return status(403, 'Forbidden', 'no');
        if (path === '/api/v1/namespaces/shop/pods') return { status: 200, body: { items: [{ name: 'web' }] } };
        return undefined;
      },
      { namespaces: ['shop'] },
    );
    const all = await replies(on, [ask('api.pods'), ask('api.nodes')]);
    const by = new Map(all.map((reply) => [reply.request.action, reply]));
    expect(by.get('api.pods')).toMatchObject({ got: 'raw', truncated: true });
    expect(text(by.get('api.pods'))).toContain('web');
    expect(by.get('api.nodes')).toMatchObject({ gap: 'not-permitted' });
  });

  it('wait where the server asks for patience (429), and no longer', async () => {
    let left = 1;
    const on = await hostOn(({ path }) => {
      if (path !== '/api/v1/services') return undefined;
      return left-- > 0 ? status(429, 'TooManyRequests', 'slow down') : undefined;
    });
    expect((await replies(on, [ask('api.services')]))[0]).toMatchObject({ got: 'raw' });
  });

  it('that never come are timed out, and do not hold up the others', async () => {
    const on = await hostOn(({ path }) => (path === '/api/v1/pods' ? 'hang' : undefined));
    const order: string[] = [];
    const limits = { ...LIMITS, deadlineMs: 300 };
    for await (const { request, ...rest } of on.perform(
      [ask('api.pods'), ask('api.nodes')],
      limits,
      AbortSignal.any([]),
    )) {
      order.push(`${request.action} ${rest.got === 'nothing' ? rest.gap : 'raw'}`);
    }
    expect(order).toEqual(['api.nodes raw', 'api.pods timed-out']);
  });

  it('end at once when the run is stopped', async () => {
    const on = await hostOn(({ path }) => (path === '/api/v1/pods' ? 'hang' : undefined));
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 50);
    const begun = Date.now();
    expect(await replies(on, [ask('api.pods')], LIMITS, stop.signal)).toMatchObject([{ gap: 'timed-out' }]);
    expect(Date.now() - begun).toBeLessThan(1_000);
  });

  it('carry the impersonated user', async () => {
    const on = await hostOn(() => undefined, { as: { user: 'eve', groups: ['devs', 'ops'] } });
    await replies(on, [ask('api.pods')]);
    const { headers } = server!.asked.find(({ path }) => path === '/api/v1/pods')!;
    expect(headers['impersonate-user']).toBe('eve');
    expect(headers['impersonate-group']).toContain('devs');
    expect(headers['impersonate-group']).toContain('ops');
  });
});

describe('rights', () => {
  const deny =
    (...denied: string[]) =>
    ({ path, body }: Asked): Answer | undefined => {
      if (!path.endsWith('selfsubjectaccessreviews')) return undefined;
      const { verb, resource, subresource } = (body as { spec: { resourceAttributes: Record<string, string> } }).spec
        .resourceAttributes;
      const name = `${verb} ${resource}${subresource ? `/${subresource}` : ''}`;
      return { status: 201, body: { status: { allowed: !denied.includes(name), reason: 'by RBAC' } } };
    };

  it('are answered as the fact api.access', async () => {
    const on = await hostOn(deny('list services'));
    const answers = JSON.parse(text((await replies(on, [ask('api.access')]))[0]));
    expect(answers).toContainEqual({ verb: 'list', resource: 'services', allowed: false, reason: 'by RBAC' });
    expect(answers).toContainEqual(
      expect.objectContaining({ resource: 'networkpolicies.networking.k8s.io', allowed: true }),
    );
  });

  it('that lack are named to whoever asks a node, and nothing is created', async () => {
    const on = await hostOn(deny('create jobs', 'create pods'));
    const [reply] = await replies(on, [ask('links', 'w1')]);
    expect(reply).toMatchObject({ got: 'nothing', gap: 'not-permitted' });
    expect(reply).toHaveProperty('detail', expect.stringContaining('create jobs.batch in namespace podtriage'));
    const made = server!.asked.filter(({ method, path }) => method === 'POST' && !path.endsWith('reviews'));
    expect(made).toEqual([]);
    expect(await on.close()).toEqual([]);
  });

  it('to Jobs alone may lack: a bare Pod is made', async () => {
    const on = await hostOn(deny('create jobs'));
    await replies(on, [ask('links', 'w1')]);
    const made = server!.asked.filter(({ method, path }) => method === 'POST' && !path.endsWith('reviews'));
    const kinds = made.map(
      ({ body, query }) => `${(body as { kind: string }).kind}${query.get('dryRun') ? ' (dry run)' : ''}`,
    );
    expect(kinds.sort()).toEqual(['Pod', 'Pod (dry run)']);
  });

  it('whose answers are missing are not read as missing rights', async () => {
    const on = await hostOn(({ path }) => (path.endsWith('reviews') ? status(500, '', 'webhook down') : undefined));
    await replies(on, [ask('links', 'w1')]);
    expect(server!.asked.some(({ method, path }) => method === 'POST' && path.endsWith('/jobs'))).toBe(true);
  });
});

describe('helpers', () => {
  it('become a bare pod where no controller makes the Job’s pod; both are removed', async () => {
    const notices: string[] = [];
    const startLimits = { takenMs: 2_400, runningMs: 2_600, answersMs: 400 };
    const on = await hostOn(() => undefined, { startLimits, notice: (line) => notices.push(line) });
    const [reply] = await replies(on, [ask('links', 'w1')], { ...LIMITS, deadlineMs: 8_000 });
    expect(reply).toMatchObject({ gap: 'unreachable' });
    expect(notices.join()).toContain('bare pod');
    const lines = await on.close();
    expect(lines).toHaveLength(2);
    expect(lines.every((line) => line.endsWith(': removed'))).toBe(true);
    const deleted = server!.asked.filter(({ method }) => method === 'DELETE').map(({ path }) => path);
    expect(deleted.some((path) => path.includes('/jobs/'))).toBe(true);
    expect(deleted.some((path) => path.includes('/pods/'))).toBe(true);
  });

  it('on a node without kubelet are given up within the bound', async () => {
    const on = await hostOn(({ path, query }) => {
      if (!path.endsWith('/pods') || !path.includes('/namespaces/') || query.get('watch')) return undefined;
      const name = (
        server!.asked.find((one) => one.path.endsWith('/jobs') && one.method === 'POST')?.body as {
          metadata: { name: string };
        }
      )?.metadata.name;
      const labels = { 'batch.kubernetes.io/job-name': name };
      return {
        status: 200,
        body: { items: [{ metadata: { name: 'p', namespace: 'n', labels }, status: { phase: 'Pending' } }] },
      };
    });
    const begun = Date.now();
    const [reply] = await replies(on, [ask('links', 'w1')]);
    expect(reply).toMatchObject({ gap: 'unreachable' });
    expect(Date.now() - begun).toBeLessThan(1_500);
  });

  it('are not made for a node that the cluster does not have, nor for Windows', async () => {
    const on = await hostOn(({ path }) => {
      if (path === '/api/v1/nodes/gone') return status(404, 'NotFound', 'nodes "gone" not found');
      if (path === '/api/v1/nodes/win') {
        return { status: 200, body: { metadata: { labels: { 'kubernetes.io/os': 'windows' } }, status: {} } };
      }
      return undefined;
    });
    const all = await replies(on, [ask('links', 'gone'), ask('links', 'win')]);
    expect(all.map((one) => (one.got === 'nothing' ? one.gap : 'raw')).sort()).toEqual([
      'not-supported',
      'unreachable',
    ]);
    expect(server!.asked.some(({ method, path }) => method === 'POST' && path.endsWith('/jobs'))).toBe(false);
  });

  it('are refused with the namespace’s own words where it does not admit them', async () => {
    const on = await hostOn(({ path, query }) =>
      path.endsWith('/pods') && query.get('dryRun')
        ? status(403, 'Forbidden', 'pods "x" is forbidden: violates PodSecurity "restricted:latest": host namespaces')
        : undefined,
    );
    const [reply] = await replies(on, [ask('links', 'w1')]);
    expect(reply).toMatchObject({ gap: 'not-permitted' });
    expect(reply).toHaveProperty('detail', expect.stringContaining('violates PodSecurity'));
    expect((await on.close()).join()).toContain('removed');
  });

  it('need a namespace: a missing one is made, a missing one that the user named is not', async () => {
    const missing = ({ method, path }: Asked): Answer | undefined =>
      method === 'GET' && /\/namespaces\/[^/]+$/.test(path) ? status(404, 'NotFound', 'not found') : undefined;
    const on = await hostOn(missing);
    await replies(on, [ask('links', 'w1')]);
    const made = server!.asked.find(({ method, path }) => method === 'POST' && path === '/api/v1/namespaces');
    expect(made!.body).toMatchObject({ metadata: { labels: { 'pod-security.kubernetes.io/enforce': 'privileged' } } });
    expect((await on.close()).join()).toContain('namespace podtriage: kept');
    await server!.close();
    const named = await hostOn(missing, { helperNamespace: 'mine' });
    expect((await replies(named, [ask('links', 'w1')]))[0]).toMatchObject({ gap: 'not-permitted' });
    expect(server!.asked.some(({ method, path }) => method === 'POST' && path === '/api/v1/namespaces')).toBe(false);
  });

  it('are planned without being made', async () => {
    const on = await hostOn(({ path }) =>
      path.endsWith('/namespaces/podtriage') ? status(404, 'NotFound', '') : undefined,
    );
    const planned = await on.plannedObjects(['w1', 'w2']);
    expect(planned.map(({ kind }) => kind)).toEqual(['Namespace', 'Job', 'Job']);
    expect(server!.asked.filter(({ method, path }) => method === 'POST' && !path.endsWith('reviews'))).toEqual([]);
  });
});

describe('a cluster that cannot be asked', () => {
  it('is one line: nobody listens', async () => {
    server = await startKubernetesServer(() => undefined);
    const kubeconfig = await server.kubeconfig(directory);
    await server.close();
    server = undefined;
    const made = createKubernetesHost({ kubeconfig, image: 'i:1', version: '0.1.0' });
    await expect(made).rejects.toMatchObject({
      kind: 'unreachable',
      message: expect.stringContaining('context "test"'),
    });
  });

  it('is one line: the user is not known', async () => {
    const made = hostOn(() => status(401, 'Unauthorized', 'Unauthorized'));
    await expect(made).rejects.toMatchObject({ kind: 'refused' });
  });
});
