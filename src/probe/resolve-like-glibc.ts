import type { Address } from '../net/address.ts';
import type { DnsAnswer, LookupAnswer } from '../snapshot/probe-answers.ts';
import { addressesOf, createQueryLog, type Noted, type QueryLog, round } from './query-log.ts';
import type { ResolverIo, UdpChannel } from './resolver-io.ts';
import type { ResolverQuestion } from './resolver-question.ts';

/*
 * getaddrinfo(3) of glibc 2.26 to 2.40 without a cache (resolv/res_query.c, resolv/res_send.c, resolv.conf(5)), for any family: which
 * names it asks for, of whom, how long it waits and what it makes of the answers. Not followed: what nscd or systemd-resolved answer in
 * its place, sortlist, and its taste in referrals.
 */

type Type = 'A' | 'AAAA';

/** What one name led to: h_errno of __res_context_querydomain, TRY_AGAIN taken apart as its caller does. */
type NameResult = 'found' | 'no-address' | 'no-such-name' | 'servfail' | 'silent' | 'nobody' | 'failed' | 'cut-off';

/** RES_TIMEOUT, RES_DFLRETRY and their limits RES_MAXRETRANS, RES_MAXRETRY (resolv/resolv.h). */
const TIMEOUT_S = { usual: 5, most: 30 } as const;
const ATTEMPTS = { usual: 2, most: 5 } as const;
const NDOTS_MAX = 15;
/** RESOLV_EDNS_BUFFER_SIZE (resolv/resolv-internal.h), with `options edns0`. */
const EDNS_BYTES = 1200;

interface Session {
  readonly io: ResolverIo;
  readonly log: QueryLog;
  readonly servers: readonly Address[];
  readonly types: readonly Type[];
  readonly timeoutS: number;
  readonly attempts: number;
  readonly ednsBytes?: number;
  readonly untilMs: number;
  /** Options that a time-out changes for the rest of the process (RES_SNGLKUP, RES_SNGLKUPREOP). */
  single: boolean;
  singleReopen: boolean;
  readonly useTcp: boolean;
}

export async function resolveLikeGlibc(question: ResolverQuestion, io: ResolverIo): Promise<LookupAnswer> {
  const startedMs = io.nowMs();
  const session = sessionOf(question, io, startedMs);
  const { result, found, addresses } = await search(session, question);
  return {
    outcome: OUTCOMES[result],
    addresses,
    ...(found === undefined ? {} : { found }),
    latencyMs: round(io.nowMs() - startedMs),
    queries: session.log.read(),
  };
}

const OUTCOMES: Readonly<Record<NameResult, LookupAnswer['outcome']>> = {
  found: 'found',
  'no-address': 'no-address',
  'no-such-name': 'no-such-name',
  servfail: 'try-again',
  silent: 'try-again',
  nobody: 'try-again',
  failed: 'failed',
  'cut-off': 'cut-off',
};

function sessionOf(
  { options, servers, turn, timeoutMs }: ResolverQuestion,
  io: ResolverIo,
  startedMs: number,
): Session {
  const shift = 'rotate' in options && servers.length > 0 ? turn % servers.length : 0;
  return {
    ...{ io, log: createQueryLog(io.nowMs), untilMs: startedMs + timeoutMs },
    servers: [...servers.slice(shift), ...servers.slice(0, shift)],
    types: 'no-aaaa' in options ? ['A'] : ['A', 'AAAA'],
    timeoutS: Math.max(1, limited(options.timeout, TIMEOUT_S)),
    attempts: Math.max(1, limited(options.attempts, ATTEMPTS)),
    ...('edns0' in options && { ednsBytes: EDNS_BYTES }),
    single: 'single-request' in options || 'single-request-reopen' in options,
    singleReopen: 'single-request-reopen' in options,
    useTcp: 'use-vc' in options,
  };
}

function limited(text: string | undefined, { usual, most }: { readonly usual: number; readonly most: number }): number {
  const value = Number.parseInt(text ?? '', 10);
  return Number.isNaN(value) ? usual : Math.min(value, most);
}

interface Searched {
  readonly result: NameResult;
  readonly found?: string;
  readonly addresses: readonly Address[];
}

/** __res_context_search: the name as it is and with each domain, until one is found. */
async function search(session: Session, question: ResolverQuestion): Promise<Searched> {
  const { host, options } = question;
  const dots = host.replace(/\.$/, '').split('.').length - 1;
  const ndots = Math.min(limited(options.ndots, { usual: 1, most: NDOTS_MAX }), NDOTS_MAX);
  const asIs = `${host.replace(/\.$/, '')}.`;
  if (host.endsWith('.')) return askName(session, asIs);
  const early = dots >= ndots ? await askName(session, asIs) : undefined;
  if (early && isLast(early)) return early;
  const searched = await searchDomains(session, question);
  if (searched.end) return searched.end;
  const { hadRoot, hadNoData, hadServfail, last } = searched;
  const mayAskAsIs = dots > 0 || !last || !('no-tld-query' in options);
  const late = early === undefined && !hadRoot && mayAskAsIs ? await askName(session, asIs) : undefined;
  if (late && isLast(late)) return late;
  const result = early?.result ?? (hadNoData ? 'no-address' : hadServfail ? 'servfail' : (late ?? last)?.result);
  return { result: result ?? 'no-such-name', addresses: [] };
}

async function searchDomains(session: Session, { host, search: domains }: ResolverQuestion) {
  const seen = { hadRoot: false, hadNoData: false, hadServfail: false };
  let last: Searched | undefined;
  for (const domain of domains) {
    const bare = domain.replace(/^\.|\.$/g, '');
    seen.hadRoot ||= bare === '';
    last = await askName(session, bare === '' ? `${host}.` : `${host}.${bare}.`);
    // A refused connect ends it all; silence ends the list, not the look-up.
    if (isLast(last) || last.result === 'nobody') return { ...seen, last, end: last };
    seen.hadNoData ||= last.result === 'no-address';
    seen.hadServfail ||= last.result === 'servfail';
    if (last.result === 'silent' || last.result === 'failed') break;
  }
  return { ...seen, last, end: undefined };
}

function isLast({ result }: Searched): boolean {
  return result === 'found' || result === 'cut-off';
}

/** __res_context_send: the servers in turn, as often as `attempts` says, each with more time than the one before. */
async function askName(session: Session, name: string): Promise<Searched> {
  const { servers, attempts, timeoutS, io, untilMs } = session;
  let isRefusedByAll = true;
  let failed: DnsAnswer | undefined;
  for (let turn = 0; turn < attempts; turn++) {
    for (const [at, server] of servers.entries()) {
      if (io.nowMs() >= untilMs) return { result: 'cut-off', addresses: [] };
      const seconds = Math.max(1, at === 0 ? timeoutS : Math.floor((timeoutS * 2 ** at) / servers.length));
      const got = await askServer(session, server, name, seconds * 1_000);
      isRefusedByAll &&= got.isRefused;
      failed = got.failed ?? failed;
      if (got.answers) return { ...resultOf(got.answers), ...foundName(got.answers, name) };
    }
  }
  if (io.nowMs() >= untilMs) return { result: 'cut-off', addresses: [] };
  if (failed) return { result: failed.outcome === 'servfail' ? 'servfail' : 'failed', addresses: [] };
  return { result: isRefusedByAll && servers.length > 0 ? 'nobody' : 'silent', addresses: [] };
}

function foundName(answers: ReadonlyMap<Type, DnsAnswer>, name: string): { readonly found?: string } {
  return addressesOf(answers).length > 0 ? { found: name } : {};
}

function resultOf(answers: ReadonlyMap<Type, DnsAnswer>): Searched {
  const addresses = addressesOf(answers);
  if (addresses.length > 0) return { result: 'found', addresses };
  const all = [...answers.values()];
  // __res_context_query: the second answer's code counts where the first one has no error.
  const told = all.find(({ outcome }) => outcome !== 'no-data');
  if (told === undefined) return { result: 'no-address', addresses };
  const result: NameResult =
    told.outcome === 'nxdomain' ? 'no-such-name' : told.outcome === 'servfail' ? 'servfail' : 'failed';
  return { result, addresses };
}

interface FromServer {
  /** Undefined: the next server is asked. */
  readonly answers?: ReadonlyMap<Type, DnsAnswer>;
  readonly failed?: DnsAnswer;
  readonly isRefused: boolean;
}

const NEXT_SERVER: ReadonlySet<DnsAnswer['outcome']> = new Set(['servfail', 'refused']);

/**
 * send_dg: both questions from one socket at once. Where only one is answered in time, they are sent again one after the other, then
 * from a socket each; a truncated answer is asked for again over TCP.
 */
async function askServer(session: Session, server: Address, name: string, timeoutMs: number): Promise<FromServer> {
  if (session.useTcp) return overTcp(session, server, name);
  for (;;) {
    const { answers, isRefused } = await exchange(session, server, name, timeoutMs);
    if ([...answers.values()].some(({ truncated }) => truncated)) return overTcp(session, server, name);
    const usable = new Map([...answers].filter(([, { outcome, rcode }]) => isUsable(outcome, rcode)));
    const failed = [...answers.values()].find(({ outcome, rcode }) => !isUsable(outcome, rcode));
    if (answers.size === session.types.length || isRefused || answers.size === 0 || failed)
      return { isRefused, ...(usable.size > 0 && { answers: usable }), ...(failed && { failed }) };
    if (session.io.nowMs() >= session.untilMs) return { isRefused: false };
    if (!session.single) session.single = true;
    else if (!session.singleReopen) session.singleReopen = true;
    else return { isRefused: false, answers: usable };
  }
}

function isUsable(outcome: DnsAnswer['outcome'], rcode: string | undefined): boolean {
  return !NEXT_SERVER.has(outcome) && rcode !== 'NOTIMP';
}

async function exchange(session: Session, server: Address, name: string, timeoutMs: number) {
  const answers = new Map<Type, DnsAnswer>();
  const { io, types, untilMs } = session;
  const deadlineMs = Math.min(io.nowMs() + timeoutMs, untilMs);
  const rounds = session.single ? types.map((type) => [type]) : [types];
  let channel = await io.openUdp([server]);
  try {
    for (const [at, group] of rounds.entries()) {
      if (at > 0 && session.singleReopen) {
        channel.close();
        channel = await io.openUdp([server]);
      }
      const isRefused = await ask(session, channel, { server, name, types: group, deadlineMs, answers });
      if (isRefused) return { answers, isRefused };
      if (!group.every((type) => answers.has(type))) break;
    }
    return { answers, isRefused: false };
  } finally {
    channel.close();
  }
}

interface Asked {
  readonly server: Address;
  readonly name: string;
  readonly types: readonly Type[];
  readonly deadlineMs: number;
  readonly answers: Map<Type, DnsAnswer>;
}

/** Sends, and waits for all; answers whether the socket was refused. */
async function ask(session: Session, channel: UdpChannel, asked: Asked): Promise<boolean> {
  const { server, name, types, deadlineMs, answers } = asked;
  const waiting = new Map<number, { readonly type: Type; readonly noted: Noted }>();
  for (const type of types) {
    const id = freshId(session.io, waiting);
    waiting.set(id, { type, noted: session.log.sent({ name, type, server, transport: 'udp' }) });
    channel.send(server, { id, name, type, ...edns(session) });
  }
  while (waiting.size > 0) {
    const received = await channel.next(Math.max(0, deadlineMs - session.io.nowMs()));
    if (received === undefined) return false;
    if ('errno' in received) {
      for (const { noted } of waiting.values()) noted.answered({ outcome: 'unreachable', truncated: false });
      return true;
    }
    const one = waiting.get(received.id);
    if (one === undefined) continue;
    waiting.delete(received.id);
    one.noted.answered(received.answer);
    answers.set(one.type, received.answer);
  }
  return false;
}

/** send_vc. Its connect waits as long as the kernel tries, minutes: only the look-up's own end cuts it short. */
async function overTcp(session: Session, server: Address, name: string): Promise<FromServer> {
  const { io, log, types, untilMs } = session;
  const answers = new Map<Type, DnsAnswer>();
  for (const type of types) {
    const noted = log.sent({ name, type, server, transport: 'tcp' });
    const answer = await io.askTcp(server, { name, type, ...edns(session) }, Math.max(1, untilMs - io.nowMs()));
    if (answer === undefined) return { isRefused: false };
    noted.answered(answer);
    if (answer.outcome === 'unreachable') return { isRefused: true };
    answers.set(type, answer);
  }
  const usable = new Map([...answers].filter(([, { outcome, rcode }]) => isUsable(outcome, rcode)));
  const failed = [...answers.values()].find(({ outcome, rcode }) => !isUsable(outcome, rcode));
  return { isRefused: false, ...(usable.size > 0 && { answers: usable }), ...(failed && { failed }) };
}

function edns({ ednsBytes }: Session): { readonly ednsBytes?: number } {
  return ednsBytes === undefined ? {} : { ednsBytes };
}

function freshId(io: ResolverIo, taken: ReadonlyMap<number, unknown>): number {
  for (;;) {
    const id = io.randomId();
    if (!taken.has(id)) return id;
  }
}
