import type { DnsReport, DnsReportLookup, DnsReportQuestion, DnsReportServer } from './dns-report.ts';

type Seen = Pick<DnsReport, 'resolver' | 'lookups' | 'servers' | 'unasked' | 'asked'>;
type Judged = Pick<DnsReport, 'verdict' | 'summary' | 'findings'> & { readonly failsAt?: string };

/** A search domain that costs more than this is worth saying. */
const SLOW_MS = 500;

/** What the answers mean together: the step at which it fails, and what the caller feels. */
export function dnsFindings(seen: Seen): Judged {
  const failsAt = failingStep(seen);
  return {
    verdict: verdictOf(seen, failsAt),
    summary: summaryOf(seen),
    ...(failsAt === undefined ? {} : { failsAt }),
    findings: [
      ...hostsFindings(seen),
      ...seen.lookups.flatMap((lookup) => lookupFindings(lookup, seen.asked)),
      ...styleFindings(seen),
      ...seen.servers.flatMap(sizeFindings),
      ...endpointFindings(seen),
    ],
  };
}

function verdictOf({ lookups, servers }: Seen, failsAt: string | undefined): DnsReport['verdict'] {
  if (failsAt !== undefined) return 'failed';
  const isUntold = lookups.some(({ sent, unknown }) => sent === 0 || unknown > 0);
  const some = servers.flatMap(({ questions }) => questions);
  return isUntold || some.some(({ passed }) => passed === 'unknown') ? 'unknown' : 'answered';
}

function summaryOf({ lookups, resolver }: Seen): string {
  if (lookups.length === 0) return 'no look-up was made: resolv.conf names no nameserver that could be asked';
  return lookups
    .map((lookup) => {
      const { style, sent, found, times, addresses, slowest } = lookup;
      const ms = times === undefined ? '' : `, p50 ${times.p50Ms} ms, max ${times.maxMs} ms`;
      const to = addresses.length === 0 ? '' : `: ${addresses.slice(0, 4).join(', ')}`;
      const cost = slowest === undefined ? '' : `, ${slowest.questions.length} questions each at most`;
      const by = resolver.library === 'unknown' ? `if it is ${style}: ` : `as ${style} does: `;
      return `${by}${found} of ${sent} look-ups found it${to}${ms}${cost}`;
    })
    .join('; ');
}

/** The first step of the chain that certainly fails, from the far end on: what is behind explains what is before. */
function failingStep({ lookups, servers, asked }: Seen): string | undefined {
  const of = (role: DnsReportServer['role']) => servers.filter((server) => server.role === role);
  const upstreams = of('upstream');
  const nameservers = of('nameserver');
  const endpoints = of('endpoint');
  const isServfail = [...nameservers, ...endpoints].some((one) => plain(one)?.outcome === 'servfail');
  const silentUpstreams = upstreams.filter(isSilent);
  if (silentUpstreams.length > 0)
    return `upstream: ${namesOf(silentUpstreams)} ${silentUpstreams.length > 1 ? 'do' : 'does'} not answer the cluster’s DNS, asked from its own network`;
  if (isServfail && upstreams.length > 0 && upstreams.every((one) => plain(one)?.outcome === 'servfail'))
    return `upstream: ${namesOf(upstreams)} fails on ${asked}`;
  const silentEndpoints = endpoints.filter(isSilent);
  if (silentEndpoints.length > 0)
    return `DNS server: ${namesOf(silentEndpoints)} ${silentEndpoints.length > 1 ? 'do' : 'does'} not answer by ${silentEndpoints.length > 1 ? 'their' : 'its'} own address`;
  const silent = nameservers.filter(isSilent);
  if (silent.length > 0)
    return `nameserver: ${namesOf(silent)} does not answer${endpoints.length > 0 ? ', while the DNS servers behind it do by their own addresses' : ''}`;
  const overTcp = servers.filter((one) =>
    one.questions.some((each) => each.transport === 'tcp' && each.passed === 'no'),
  );
  if (overTcp.length > 0)
    return `TCP: ${namesOf(overTcp)} ${overTcp.length > 1 ? 'do' : 'does'} not answer by TCP: an answer too large for UDP cannot be fetched`;
  const large = servers.filter(isLargeLost);
  if (large.length > 0)
    return `large answers: from ${namesOf(large)} they do not arrive by UDP, where they travel in fragments`;
  if (isServfail)
    return `DNS server: ${namesOf([...nameservers, ...endpoints].filter((one) => plain(one)?.outcome === 'servfail'))} answers SERVFAIL for ${asked}`;
  const missed = lookups.find(({ sent, found }) => found < sent);
  if (missed === undefined) return undefined;
  const worst = missed.outcomes.find(({ outcome }) => outcome !== 'found')!;
  if (worst.outcome === 'no-such-name') return `the name: every server that was asked says that it does not exist`;
  if (worst.outcome === 'no-address') return `the name: it exists and has no address`;
  return `look-up: ${worst.count} of ${missed.sent} were not answered${servers.length > 0 ? ', though each server answers now' : ''}`;
}

/** The question without EDNS by UDP, which every resolver sends first. */
function plain({ questions }: DnsReportServer): DnsReportQuestion | undefined {
  return questions.find(({ transport, ednsBytes }) => transport === 'udp' && ednsBytes === undefined);
}

function isSilent(server: DnsReportServer): boolean {
  return plain(server)?.passed === 'no';
}

function isLargeLost(server: DnsReportServer): boolean {
  return largeLost(server) !== undefined;
}

/** What fits a packet everywhere (DNS flag day 2020): a question that allows for no more loses nothing for its size. */
const ONE_PACKET_BYTES = 1_232;

/**
 * A question whose answer is lost for its size: it is known not to fit a packet, since even one that allows for that came cut; the server
 * answers all smaller ones and is silent wherever it may send more. (How long it is over TCP tells nothing: names are not shortened there.)
 */
function largeLost(server: DnsReportServer): DnsReportQuestion | undefined {
  const { questions } = server;
  if (plain(server)?.passed !== 'yes') return undefined;
  const cutAt = Math.max(...questions.map(({ truncated, ednsBytes = 0 }) => (truncated ? ednsBytes : 0)));
  if (cutAt < ONE_PACKET_BYTES) return undefined;
  const larger = questions.filter(({ ednsBytes = 0 }) => ednsBytes > cutAt);
  return larger.every(({ outcome }) => outcome === 'timed-out') ? larger[0] : undefined;
}

function namesOf(servers: readonly DnsReportServer[]): string {
  return [
    ...new Set(servers.map(({ name, from, role }) => (role === 'upstream' ? `${name} (from ${from})` : name))),
  ].join(', ');
}

function hostsFindings({ resolver: { hosts = [], sources, library } }: Seen): string[] {
  if (hosts.length === 0) return [];
  const files = sources?.indexOf('files') ?? 0;
  const dns = sources?.indexOf('dns') ?? 1;
  const isFirst = library === 'musl' || (files >= 0 && (dns < 0 || files < dns));
  return isFirst
    ? [`the hosts file gives the name ${hosts.join(', ')}: the container’s programs take that and ask no DNS`]
    : [
        `the hosts file gives the name ${hosts.join(', ')}, which comes after DNS (nsswitch.conf: ${sources?.join(' ')})`,
      ];
}

function lookupFindings({ style, waits, slowest }: DnsReportLookup, asked: string): string[] {
  const said: string[] = [];
  if (waits.length > 0) {
    const list = waits.map(({ aroundMs, count }) => `${count} after about ${aroundMs / 1_000} s`).join(', ');
    said.push(
      `${style}: ${list}: so long a resolver waits for a question whose answer does not come before it asks again; loss, not latency`,
    );
  }
  const slow = slowest?.questions.filter(({ latencyMs = 0 }) => latencyMs > SLOW_MS) ?? [];
  if (slow.length > 0 && slowest) {
    const names = [...new Set(slow.map(({ name }) => name))].slice(0, 4).join(', ');
    said.push(
      `${style}: of ${slowest.latencyMs} ms at most, answers for ${names} took up to ${Math.max(...slow.map(({ latencyMs = 0 }) => latencyMs))} ms`,
    );
  }
  const questions = slowest?.questions ?? [];
  // Only where the name as it is was the right one do the search list's questions serve nothing.
  const denied = questions.filter(
    ({ outcome, name }) => outcome === 'nxdomain' && name !== asked && name.startsWith(asked),
  );
  const isFound = questions.some(({ outcome, name }) => outcome === 'answered' && name === asked);
  if (denied.length > 0 && isFound)
    said.push(
      `${style}: ${denied.length} of ${questions.length} questions are for the search list and denied; a final dot, or fewer ndots, saves them`,
    );
  return said;
}

function styleFindings({ lookups, resolver }: Seen): string[] {
  const [first, second] = lookups;
  if (!first || !second || resolver.library !== 'unknown') return [];
  const differs = (first.found === first.sent) !== (second.found === second.sent);
  return differs
    ? [`${first.style} and ${second.style} end differently, and which of them the container uses is not known`]
    : [];
}

function sizeFindings(server: DnsReportServer): string[] {
  const { name, questions } = server;
  const cut = questions.filter(({ truncated }) => truncated);
  const said: string[] = [];
  if (cut.length > 0) {
    const sizes = cut.map(({ ednsBytes }) =>
      ednsBytes === undefined ? 'without EDNS (512 bytes)' : `with EDNS ${ednsBytes}`,
    );
    const tcp = questions.find(({ transport }) => transport === 'tcp');
    const whole = tcp?.bytes === undefined ? '' : `; over TCP it has ${tcp.bytes} bytes`;
    said.push(`${name}: the answer is truncated ${[...new Set(sizes)].join(', ')}${whole}`);
  }
  const lost = largeLost(server);
  if (lost)
    said.push(
      `${name}: with EDNS ${lost.ednsBytes} no answer comes, without it one does: an answer that does not fit a packet does not arrive (it travels in fragments)`,
    );
  return said;
}

function endpointFindings({ servers }: Seen): string[] {
  const endpoints = servers.filter(({ role }) => role === 'endpoint');
  const silent = endpoints.filter(isSilent);
  if (silent.length === 0 || silent.length === endpoints.length) return [];
  return [
    `${silent.length} of ${endpoints.length} DNS servers does not answer: that share of the questions, by whatever Service address, waits in vain`,
  ];
}
