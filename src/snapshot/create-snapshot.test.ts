import { describe, expect, test } from 'vitest';
import { AFTER_PROBES, type Reply, type Request } from '../host/host.ts';
import { CLUSTER, hostOf, podPlace } from '../net/place.ts';
import { createReplyStore, createSnapshot } from './create-snapshot.ts';
import { isComplete } from './snapshot.ts';

const NODE = hostOf('w1');
const POD = podPlace('w1', 'shop', 'web-1');

function ask(action: string, more: Partial<Request> = {}): Request {
  return { action, place: NODE, args: {}, round: 0, ...more };
}

function raw(
  request: Request,
  text: string,
  more: { exitCode?: number; truncated?: boolean; tool?: string } = {},
): Reply {
  return {
    request,
    startedAtMs: 1,
    tookMs: 2,
    got: 'raw',
    raw: new TextEncoder().encode(text),
    exitCode: 0,
    truncated: false,
    tool: 'test',
    ...more,
  };
}

const ROUTES =
  '[{"type":"1","dst":"default","gateway":"10.0.0.1","dev":"eth0","table":"254","protocol":"3","flags":[]}]';

describe('createSnapshot', () => {
  test('a fact is found by action, place and arguments in any order, and is complete', () => {
    const request = ask('routes', { args: { family: 4 } });
    const snapshot = createSnapshot([raw(request, ROUTES)]);
    const routes = snapshot.fact('routes', { ...NODE, device: 'eth0' }, { family: 4 });
    expect(routes).toMatchObject({ state: 'seen', complete: true, unparsed: [], source: { request } });
    expect(isComplete(routes) && routes.value[0]?.text).toBe('default via 10.0.0.1 dev eth0');
    expect(snapshot.fact('routes', NODE, { family: 6 })).toMatchObject({ state: 'unseen', gap: 'not-asked' });
    expect(snapshot.fact('routes', POD, { family: 4 })).toMatchObject({ state: 'unseen', gap: 'not-asked' });
  });

  test('sockets that ss read from /proc, as the tool’s name tells, may be of IPv6 alone', () => {
    const line = 'tcp LISTEN 0 0 *:80 *:* ino:1 sk:1\n';
    const told = (tool: string) => createSnapshot([raw(ask('sockets'), line, { tool })]).fact('sockets', NODE);
    expect(told('iproute2-6.1.0 (inet_diag not loaded)')).toMatchObject({ value: [{ mayBeV6only: true }] });
    expect(told('iproute2-6.1.0')).not.toMatchObject({ value: [{ mayBeV6only: true }] });
  });

  test("an argument that is '' means all, as if it were left out", () => {
    const snapshot = createSnapshot([raw(ask('iptables.nft', { args: { family: 4, table: '' } }), '')]);
    expect(snapshot.fact('iptables.nft', NODE, { family: 4 }).state).toBe('seen');
    const nat = snapshot.fact('iptables.nft', NODE, { table: 'nat', family: 4 });
    expect(nat).toMatchObject({
      state: 'unseen',
      want: { action: 'iptables.nft', place: NODE, args: { table: 'nat', family: 4 }, round: 0 },
    });
  });

  test('what is wanted at a pod names the uid, from another request there or from the API', () => {
    const pods =
      '{"kind":"PodList","items":[{"metadata":{"name":"web-1","namespace":"shop","uid":"u-1"},"spec":{"containers":[]}}]}';
    const fromApi = createSnapshot([raw(ask('api.pods', { place: CLUSTER }), pods)]).fact('links', POD);
    expect(fromApi).toMatchObject({ want: { podUid: 'u-1' } });
    const other = createSnapshot([raw(ask('rules', { place: POD, podUid: 'u-2' }), '[]')]).fact('links', POD);
    expect(other).toMatchObject({ want: { podUid: 'u-2' } });
    expect(createSnapshot([]).fact('links', POD)).toMatchObject({ want: { place: POD } });
  });

  test('a gap keeps its reason', () => {
    const request = ask('nft.tables');
    const reply: Reply = { request, startedAtMs: 0, tookMs: 9, got: 'nothing', gap: 'timed-out', detail: 'after 10 s' };
    expect(createSnapshot([reply]).fact('nft.tables', NODE)).toEqual({
      state: 'unseen',
      gap: 'timed-out',
      detail: 'after 10 s',
      want: request,
    });
  });

  test('exit codes: failed without output, not installed, output of a failed tool is a part', () => {
    const of = (text: string, exitCode: number) =>
      createSnapshot([raw(ask('routes', { args: { family: 4 } }), text, { exitCode })]).fact('routes', NODE, {
        family: 4,
      });
    expect(of('', 1)).toMatchObject({ state: 'unseen', gap: 'failed' });
    expect(of('sh: ip: not found\n', 127)).toMatchObject({ state: 'unseen', gap: 'not-installed' });
    expect(of(ROUTES, 2)).toMatchObject({ state: 'seen', complete: false });
  });

  test('a cut reply is seen in part and claims no absence', () => {
    const reply = raw(ask('routes', { args: { family: 4 } }), ROUTES.slice(0, 60), { truncated: true });
    const routes = createSnapshot([reply]).fact('routes', NODE, { family: 4 });
    expect(routes).toMatchObject({ state: 'seen', complete: false });
    expect(isComplete(routes)).toBe(false);
  });

  test.each([
    ['ipsets', {}],
    ['iptables.legacy', { family: 4 }],
    ['iptables.nft', { family: 6 }],
    ['neighbours', {}],
    ['sockets', {}],
  ] as const)('an empty whole reply of %s is seen, empty and complete', (action, args) => {
    const observed = createSnapshot([raw(ask(action, { args }), '')]).fact(action, NODE, args);
    expect(isComplete(observed)).toBe(true);
  });

  test('an answer that is none leaves the fact unseen', () => {
    const request = ask('probe.tcp', { place: POD, args: { address: '10.0.0.1', port: 80, timeoutMs: 1000 } });
    expect(createSnapshot([raw(request, '{"outcome":"maybe"}')]).fact('probe.tcp', POD, request.args)).toMatchObject({
      state: 'unseen',
      gap: 'failed',
    });
    const good = createSnapshot([
      raw(request, '{"outcome":"refused","errno":"ECONNREFUSED","localAddress":"10.244.0.5"}'),
    ]);
    expect(good.fact('probe.tcp', POD, request.args)).toMatchObject({ state: 'seen', value: { outcome: 'refused' } });
  });

  test('the first look and the look after the probes are two facts', () => {
    const reply = (round: number, value: string) =>
      raw(
        ask('counters', { round }),
        JSON.stringify({ files: [{ path: '/proc/net/snmp6', text: `Ip6InReceives ${value}\n` }] }),
      );
    const snapshot = createSnapshot([reply(AFTER_PROBES, '9'), reply(0, '5'), reply(2, '7')]);
    expect(snapshot.fact('counters', NODE)).toMatchObject({ value: { Ip6InReceives: 5 } });
    expect(snapshot.after('counters', NODE)).toMatchObject({ value: { Ip6InReceives: 9 } });
    expect(snapshot.after('links', NODE)).toMatchObject({ state: 'unseen', want: { round: AFTER_PROBES } });
  });

  test('an answer replaces an earlier gap, and no later answer replaces it', () => {
    const request = ask('rules', { args: { family: 4 } });
    const gap: Reply = { request, startedAtMs: 0, tookMs: 9, got: 'nothing', gap: 'failed', detail: '' };
    const rule = (table: string) => raw(request, `[{"priority":0,"src":"all","table":"${table}"}]`);
    const snapshot = createSnapshot([gap, rule('254'), rule('255'), gap]);
    expect(snapshot.fact('rules', NODE, { family: 4 })).toMatchObject({ value: [{ action: { table: 254 } }] });
  });

  test('places and nodes are those that some reply speaks of', () => {
    const snapshot = createSnapshot([
      raw(ask('api.pods', { place: CLUSTER }), '{"kind":"PodList","items":[]}'),
      raw(ask('links'), '[]'),
      raw(ask('rules', { place: { ...POD, device: 'eth0' } }), '[]'),
      {
        request: ask('links', { place: hostOf('w2') }),
        startedAtMs: 0,
        tookMs: 0,
        got: 'nothing',
        gap: 'unreachable',
        detail: '',
      },
    ]);
    expect(snapshot.nodes()).toEqual(['w1', 'w2']);
    expect(snapshot.placesOf('w1')).toEqual([NODE, POD]);
    expect(snapshot.placesOf('')).toEqual([]);
  });
});

describe('createReplyStore', () => {
  test('a snapshot does not change when replies come in, and parsed values are kept', () => {
    const store = createReplyStore();
    store.add(raw(ask('routes', { args: { family: 4 } }), ROUTES));
    const before = store.snapshot();
    const routes = before.fact('routes', NODE, { family: 4 });
    expect(store.snapshot()).toBe(before);
    store.add(raw(ask('links'), '[]'));
    expect(before.fact('links', NODE).state).toBe('unseen');
    const now = store.snapshot();
    expect(now.fact('links', NODE).state).toBe('seen');
    expect(now.fact('routes', NODE, { family: 4 })).toBe(routes);
    expect(store.replies()).toHaveLength(2);
  });
});
