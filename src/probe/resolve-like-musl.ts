import type { Address } from '../net/address.ts';
import type { DnsAnswer, LookupAnswer } from '../snapshot/probe-answers.ts';
import { addressesOf, createQueryLog, type Noted, type QueryLog, round } from './query-log.ts';
import type { ResolverIo, UdpChannel } from './resolver-io.ts';
import type { ResolverQuestion } from './resolver-question.ts';

/*
 * getaddrinfo(3) of musl 1.2.4 and newer (src/network/lookup_name.c, res_msend.c, resolvconf.c), for any family: all servers at once
 * and the first answer counts, no domain is tried for a name with ndots dots, and any failure ends the search. Older ones take a
 * truncated answer as it is, without TCP.
 */

type Type = 'A' | 'AAAA';

const TYPES: readonly Type[] = ['A', 'AAAA'];
/** resolvconf.c: defaults and limits of timeout (seconds), attempts and ndots. */
const TIMEOUT_S = { usual: 5, most: 60 } as const;
const ATTEMPTS = { usual: 2, most: 10 } as const;
const NDOTS = { usual: 1, most: 15 } as const;
/** After a SERVFAIL the same server is asked again at once, so often for each question of the look-up (res_msend.c). */
const SERVFAIL_RETRIES = 2;

interface Session {
  readonly io: ResolverIo;
  readonly log: QueryLog;
  readonly servers: readonly Address[];
  readonly timeoutMs: number;
  readonly retryMs: number;
  readonly untilMs: number;
}

type NameAnswer = Pick<LookupAnswer, 'outcome' | 'addresses'>;

export async function resolveLikeMusl(question: ResolverQuestion, io: ResolverIo): Promise<LookupAnswer> {
  const { host, options, servers, search } = question;
  const startedMs = io.nowMs();
  const timeoutMs = limited(options.timeout, TIMEOUT_S) * 1_000;
  const session: Session = {
    ...{ io, log: createQueryLog(io.nowMs), servers, timeoutMs },
    retryMs: timeoutMs / Math.max(1, limited(options.attempts, ATTEMPTS)),
    untilMs: startedMs + question.timeoutMs,
  };
  const bare = host.replace(/\.$/, '');
  const isSearched = !host.endsWith('.') && bare.split('.').length - 1 < limited(options.ndots, NDOTS);
  const names = [...(isSearched ? search.map((domain) => `${bare}.${domain.replace(/\.$/, '')}.`) : []), `${bare}.`];
  let last: NameAnswer = { outcome: 'no-such-name', addresses: [] };
  let found: string | undefined;
  for (const name of names) {
    last = await askName(session, name);
    if (last.outcome === 'found') found = name;
    if (last.outcome !== 'no-such-name') break;
  }
  return {
    ...last,
    ...(found === undefined ? {} : { found }),
    latencyMs: round(io.nowMs() - startedMs),
    queries: session.log.read(),
  };
}

function limited(text: string | undefined, { usual, most }: { readonly usual: number; readonly most: number }): number {
  const value = Number.parseInt(text ?? '', 10);
  return Number.isNaN(value) ? usual : Math.min(value, most);
}

/** name_from_dns: one question without an answer, or a SERVFAIL, fails the whole name, whatever the other one brought. */
async function askName(session: Session, name: string): Promise<NameAnswer> {
  const answers = await sendAll(session, name);
  if (answers.size < TYPES.length)
    return { outcome: session.io.nowMs() >= session.untilMs ? 'cut-off' : 'try-again', addresses: [] };
  for (const type of TYPES) {
    const { outcome } = answers.get(type)!;
    if (outcome === 'nxdomain') return { outcome: 'no-such-name', addresses: [] };
    if (outcome !== 'answered' && outcome !== 'no-data') return { outcome: 'failed', addresses: [] };
  }
  const addresses = addressesOf(answers);
  return { outcome: addresses.length > 0 ? 'found' : 'no-address', addresses };
}

interface Waiting {
  readonly type: Type;
  readonly id: number;
  readonly noted: Map<Address, Noted>;
}

/** __res_msend_rc: both questions to every server, again after each retry interval, until both are answered. */
async function sendAll(session: Session, name: string): Promise<Map<Type, DnsAnswer>> {
  const answers = new Map<Type, DnsAnswer>();
  const { io, retryMs } = session;
  const untilMs = Math.min(io.nowMs() + session.timeoutMs, session.untilMs);
  const first = io.randomId();
  const waiting = TYPES.map((type, at): Waiting => ({ type, id: (first + at) & 0xffff, noted: new Map() }));
  const servfails = { left: SERVFAIL_RETRIES * TYPES.length };
  const channel = await io.openUdp(session.servers);
  try {
    let dueMs = io.nowMs();
    while (answers.size < TYPES.length && io.nowMs() < untilMs) {
      if (io.nowMs() >= dueMs) {
        dueMs += retryMs;
        for (const one of waiting.filter(({ type }) => !answers.has(type)))
          for (const server of session.servers) send(session, channel, name, one, server);
      }
      const received = await channel.next(Math.max(0, Math.min(dueMs, untilMs) - io.nowMs()));
      if (received === undefined || 'errno' in received) continue;
      const one = waiting.find(({ id, type }) => id === received.id && !answers.has(type));
      if (one === undefined) continue;
      one.noted.get(received.server)?.answered(received.answer);
      const answer = await taken(session, channel, name, one, received, servfails, untilMs);
      if (answer) answers.set(one.type, answer);
    }
  } finally {
    channel.close();
  }
  return answers;
}

function send(session: Session, channel: UdpChannel, name: string, one: Waiting, server: Address): void {
  one.noted.set(server, session.log.sent({ name, type: one.type, server, transport: 'udp' }));
  channel.send(server, { id: one.id, name, type: one.type });
}

/** Only what decides is taken: an answer or a denial. What else comes is passed over, and a SERVFAIL asked again. */
async function taken(
  session: Session,
  channel: UdpChannel,
  name: string,
  one: Waiting,
  { server, answer }: { readonly server: Address; readonly answer: DnsAnswer },
  servfails: { left: number },
  untilMs: number,
): Promise<DnsAnswer | undefined> {
  if (answer.rcode === 'SERVFAIL' && servfails.left > 0) {
    servfails.left--;
    send(session, channel, name, one, server);
  }
  if (answer.rcode !== 'NOERROR' && answer.rcode !== 'NXDOMAIN') return undefined;
  if (!answer.truncated) return answer;
  const noted = session.log.sent({ name, type: one.type, server, transport: 'tcp' });
  const whole = await session.io.askTcp(server, { name, type: one.type }, Math.max(1, untilMs - session.io.nowMs()));
  if (whole) noted.answered(whole);
  return whole?.outcome === 'unreachable' ? undefined : whole;
}
