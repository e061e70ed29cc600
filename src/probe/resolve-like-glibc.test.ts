import { expect, test } from 'vitest';
import type { LookupAnswer } from '../snapshot/probe-answers.ts';
import { resolveLikeGlibc } from './resolve-like-glibc.ts';
import { resolveLikeMusl } from './resolve-like-musl.ts';
import type { ResolverQuestion } from './resolver-question.ts';
import { type FakeServer, fakeResolverIo, serverOf } from './testing/fake-resolver-io.ts';

const SEARCH = ['demo.svc.cluster.local', 'svc.cluster.local', 'cluster.local'];
const ZONE = serverOf({ 'web.demo.svc.cluster.local.': '10.96.0.7', 'gw.corp.test.': '10.80.0.1' });

const question = (host: string, more: Partial<ResolverQuestion> = {}): ResolverQuestion => ({
  ...{ host, style: 'glibc', servers: ['10.96.0.10'], search: SEARCH, options: { ndots: '5' } },
  ...{ timeoutMs: 25_000, turn: 0 },
  ...more,
});
const glibc = (host: string, serve: FakeServer, more?: Partial<ResolverQuestion>): Promise<LookupAnswer> =>
  resolveLikeGlibc(question(host, more), fakeResolverIo(serve));
const musl = (host: string, serve: FakeServer, more?: Partial<ResolverQuestion>): Promise<LookupAnswer> =>
  resolveLikeMusl(question(host, more), fakeResolverIo(serve));
const namesOf = ({ queries }: LookupAnswer): string[] => [...new Set(queries.map(({ name }) => name))];

test('a short name is found with the first domain, by two questions', async () => {
  const answer = await glibc('web', ZONE);
  expect(answer).toMatchObject({ outcome: 'found', found: 'web.demo.svc.cluster.local.', addresses: ['10.96.0.7'] });
  expect(answer.queries.map(({ type }) => type)).toEqual(['A', 'AAAA']);
});

test('a name of the world costs two questions for each domain first; with a final dot, or few ndots, none', async () => {
  expect((await glibc('gw.corp.test', ZONE)).queries).toHaveLength(8);
  expect((await glibc('gw.corp.test.', ZONE)).queries).toHaveLength(2);
  expect((await glibc('gw.corp.test', ZONE, { options: { ndots: '2' } })).queries).toHaveLength(2);
});

test('a name with enough dots is searched after all by glibc, never by musl', async () => {
  const options = { ndots: '1' };
  const zone = serverOf({ 'web.demo.svc.cluster.local.': '10.96.0.7' });
  expect(await glibc('web.demo', zone, { options })).toMatchObject({ outcome: 'found' });
  const plain = await musl('web.demo', zone, { options });
  expect(plain.outcome).toBe('no-such-name');
  expect(namesOf(plain)).toEqual(['web.demo.']);
});

test('a domain that fails ends the search of musl, and not that of glibc', async () => {
  const broken: FakeServer = (asked) =>
    asked.name === 'gw.corp.test.svc.cluster.local.' ? { outcome: 'servfail', rcode: 'SERVFAIL' } : ZONE(asked);
  expect((await glibc('gw.corp.test', broken)).outcome).toBe('found');
  const failed = await musl('gw.corp.test', broken);
  expect(failed.outcome).toBe('try-again');
  expect(namesOf(failed)).toEqual(['gw.corp.test.demo.svc.cluster.local.', 'gw.corp.test.svc.cluster.local.']);
});

test('a lost question costs glibc five seconds, and both are sent again one after the other', async () => {
  let lost = 1;
  const answer = await glibc('web', (asked) => (asked.type === 'AAAA' && lost-- > 0 ? undefined : ZONE(asked)));
  expect(answer.outcome).toBe('found');
  expect(answer.latencyMs).toBeGreaterThanOrEqual(5_000);
  expect(answer.latencyMs).toBeLessThan(5_100);
  expect(answer.queries.map(({ outcome }) => outcome)).toEqual(['answered', 'timed-out', 'answered', 'no-data']);
});

test('a silent server is given up after its attempts; the list ends there, and the name as it is is tried', async () => {
  const answer = await glibc('gw.corp.test', () => undefined);
  expect(answer).toMatchObject({ outcome: 'try-again', latencyMs: 20_000 });
  expect(namesOf(answer)).toEqual(['gw.corp.test.demo.svc.cluster.local.', 'gw.corp.test.']);
});

test('three servers wait 5, 3 and 6 s; musl asks all at once and takes the first answer', async () => {
  const servers = ['10.0.0.1', '10.0.0.2', '10.0.0.3'] as const;
  const lastAnswers: FakeServer = (asked) => (asked.server === '10.0.0.3' ? ZONE(asked) : undefined);
  const slow = await glibc('web', lastAnswers, { servers });
  expect(slow).toMatchObject({ outcome: 'found' });
  expect(Math.round(slow.latencyMs)).toBe(8_001);
  const fast = await musl('web', lastAnswers, { servers });
  expect(fast).toMatchObject({ outcome: 'found', latencyMs: 1 });
  expect(fast.queries).toHaveLength(6);
});

test('an address that refuses is left at once, and where all do the look-up ends', async () => {
  const one = await glibc('web', (asked) => (asked.server === '10.0.0.1' ? 'refused' : ZONE(asked)), {
    servers: ['10.0.0.1', '10.0.0.2'],
  });
  expect(one).toMatchObject({ outcome: 'found' });
  const none = await glibc('gw.corp.test', () => 'refused');
  expect(none).toMatchObject({ outcome: 'try-again', latencyMs: 0 });
  expect(namesOf(none)).toEqual(['gw.corp.test.demo.svc.cluster.local.']);
});

test('a truncated answer is asked for over TCP; where that is silent the caller waits as long as it is let', async () => {
  const large: FakeServer = ({ transport, name, type }) => {
    if (transport === 'udp') return { outcome: 'no-data', rcode: 'NOERROR', truncated: true };
    return ZONE({ name, type, server: '10.96.0.10', transport, socket: 0 });
  };
  const whole = await glibc('web', large);
  expect(whole).toMatchObject({ outcome: 'found', addresses: ['10.96.0.7'] });
  expect(whole.queries.map(({ transport }) => transport)).toEqual(['udp', 'udp', 'tcp', 'tcp']);
  const blocked: FakeServer = (asked) => (asked.transport === 'tcp' ? undefined : large(asked));
  expect(await glibc('web', blocked)).toMatchObject({ outcome: 'cut-off', latencyMs: 25_000 });
  expect(await musl('web', blocked)).toMatchObject({ outcome: 'try-again' });
});

test('single-request asks one after the other; its reopening takes another socket', async () => {
  const sockets = new Set<number>();
  const watch: FakeServer = (asked) => {
    sockets.add(asked.socket);
    return ZONE(asked);
  };
  await glibc('web', watch, { options: { ndots: '5', 'single-request': '' } });
  expect(sockets.size).toBe(1);
  sockets.clear();
  await glibc('web', watch, { options: { ndots: '5', 'single-request-reopen': '' } });
  expect(sockets.size).toBe(2);
});

test('rotate begins with another server each turn; use-vc asks by TCP alone; no-aaaa asks for half', async () => {
  const servers = ['10.0.0.1', '10.0.0.2'] as const;
  const options = { ndots: '5', rotate: '' };
  expect((await glibc('web', ZONE, { servers, options, turn: 1 })).queries[0]!.server).toBe('10.0.0.2');
  const tcp = await glibc('web', ZONE, { options: { ndots: '5', 'use-vc': '' } });
  expect(tcp.queries.every(({ transport }) => transport === 'tcp')).toBe(true);
  expect((await glibc('web', ZONE, { options: { ndots: '5', 'no-aaaa': '' } })).queries).toHaveLength(1);
});

test('musl fails where one of the two questions has no answer, after five seconds with a second try', async () => {
  const answer = await musl('web', (asked) => (asked.type === 'AAAA' ? undefined : ZONE(asked)));
  expect(answer).toMatchObject({ outcome: 'try-again', latencyMs: 5_000 });
  expect(answer.queries.filter(({ type }) => type === 'AAAA')).toHaveLength(2);
});
