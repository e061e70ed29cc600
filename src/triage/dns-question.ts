import { requestsForCluster, requestsForPod } from '../collect/plan.ts';
import type { Host } from '../host/host.ts';
import { type Address, type Family, familyOf } from '../net/address.ts';
import { hostOf, type Place, podPlace } from '../net/place.ts';
import type { ResolvConf } from '../parse/resolv-conf.ts';
import type { ProbeSample } from '../probe/probe-sample.ts';
import { type ResolverStyle, resolverArgs, SERVERS_MAX } from '../probe/resolver-question.ts';
import { createStateWatch, type StateChange } from '../probe/state-watch.ts';
import { buildDnsReport } from '../report/build-dns-report.ts';
import type { DnsReport, DnsReportResolver } from '../report/dns-report.ts';
import type { Seen, Snapshot } from '../snapshot/snapshot.ts';
import { parseTarget } from '../target/parse-target.ts';
import { type Endpoint, isTargetProblem, type TargetProblem } from '../target/question.ts';
import { resolveSource } from '../target/resolve-source.ts';
import { notFound, usageProblem } from '../target/target-problem.ts';
import { BATCH_DEADLINE_MS, REQUEST_MAX_BYTES } from './collect-question.ts';
import { askServers } from './dns-servers.ts';
import { withPodUids } from './places-asked.ts';
import { createRun, type Run } from './run.ts';
import { type SendOptions, type SendPlan, sendRepeatedly } from './send-repeatedly.ts';

export interface DnsWords {
  readonly source: string;
  readonly name: string;
  readonly namespace?: string;
  readonly container?: string;
  readonly family?: Family;
}

export interface DnsOptions extends SendOptions {
  readonly notes: readonly string[];
  readonly prepare: (nodes: readonly string[]) => void;
  readonly tell: (text: string) => void;
  readonly live: (text: string) => void;
  readonly mark: (change: StateChange & { readonly target: string }) => void;
  readonly isWatch: boolean;
  readonly plan: SendPlan;
}

export type DnsQuestionOutcome =
  | { readonly kind: 'dns'; readonly report: DnsReport }
  | { readonly kind: 'problem'; readonly problem: TargetProblem };

/** A look-up that takes as long as its resolver's first time-out is no answer at the time when it was asked. */
const PROMPT_MAX_MS = 2_500;
/** Samples that are kept with all their questions; a watch may last for hours. */
const SAMPLES_MAX = 2_000;

/** The pod's resolver, where its files are and where it sends from. */
export interface ResolverPlace {
  readonly files: Place;
  readonly sender: Place;
}

/** Looks a name up as the source's resolver would, again and again, then asks each server on the way by itself. */
export async function probeName(host: Host, words: DnsWords, options: DnsOptions): Promise<DnsQuestionOutcome> {
  const startedAtMs = host.nowMs();
  const run = createRun(host, { ...options, deadlineMs: BATCH_DEADLINE_MS, maxBytes: REQUEST_MAX_BYTES });
  const begun = await begin(run, words, options);
  if (isTargetProblem(begun)) {
    await host.close();
    return { kind: 'problem', problem: begun };
  }
  const { place, file, notes, resolver } = begun;
  const styles: readonly ResolverStyle[] = resolver.library === 'unknown' ? ['glibc', 'musl'] : [resolver.library];
  const { lookups, changes } = await lookUp(run, words.name, styles, place.sender, file.value, options);
  const asked = decisiveName(words.name, lookups);
  const { servers, unasked } = await askServers(run, {
    ...{ place, asked, nameservers: file.value.nameservers.slice(0, SERVERS_MAX), signal: options.signal },
    type: typeOf(lookups, words.family),
    pods: options.prepare,
  });
  const created = await run.timed('removing helpers', () => host.close());
  const report = buildDnsReport({
    ...{ resolver, lookups, asked, servers, unasked, changes, created },
    target: {
      ...{ source: words.source, destination: words.name },
      flow: `dns look-up of ${words.name}, A and AAAA`,
      notes: [...notes, ...options.notes],
    },
    durationMs: host.nowMs() - startedAtMs,
  });
  return { kind: 'dns', report };
}

interface Begun {
  readonly place: ResolverPlace;
  readonly file: Seen<ResolvConf>;
  readonly resolver: DnsReportResolver;
  readonly notes: readonly string[];
}

async function begin(run: Run, words: DnsWords, options: DnsOptions): Promise<Begun | TargetProblem> {
  const wrong = nameProblem(words.name);
  if (wrong) return wrong;
  await run.collect('reading the cluster', requestsForCluster());
  const target = parseTarget(words.source);
  if (isTargetProblem(target)) return target;
  const source = resolveSource(run.snapshot(), target, words.namespace ?? 'default', words.container);
  if (isTargetProblem(source)) return source;
  const place = placeOf(source.endpoint);
  if (place === undefined)
    return usageProblem(`nothing can be sent from ${words.source}: a source is a running pod or a node`);
  options.prepare([place.files.node]);
  const { node, namespace } = place.files;
  await run.collect('reading the resolver’s files', [
    ...requestsForPod(place.files),
    { action: 'name-service', place: { node, namespace }, args: {}, round: 0 },
  ]);
  const snapshot = run.snapshot();
  const file = snapshot.fact('resolv-conf', place.files);
  if (file.state === 'unseen')
    return { kind: 'no-access', problem: `resolv.conf of ${words.source} could not be read: ${file.detail}`, near: [] };
  return { place, file, notes: source.notes, resolver: resolverOf(snapshot, place.files, words.name, file.value) };
}

function nameProblem(name: string): TargetProblem | undefined {
  const service = /^svc\/(?<namespace>[^/]+)\/(?<name>[^/:]+)/.exec(name)?.groups;
  if (service)
    return usageProblem(`"${name}" is no DNS name`, [`${service.name}.${service.namespace}.svc.cluster.local`]);
  if (/^[^\s/:@]{1,253}\.?$/.test(name)) return undefined;
  return notFound(`"${name}" is no DNS name: give it as the program does, without scheme, port or path`, []);
}

function placeOf(source: Endpoint): ResolverPlace | undefined {
  if (source.kind === 'node') return { files: hostOf(source.name), sender: hostOf(source.name) };
  if (source.kind !== 'pod' || source.node === undefined || source.place === undefined) return undefined;
  return { files: podPlace(source.node, source.namespace, source.name), sender: source.place };
}

function resolverOf(snapshot: Snapshot, at: Place, name: string, file: ResolvConf): DnsReportResolver {
  const names = snapshot.fact('name-service', at);
  const hosts = snapshot.fact('hosts-file', at);
  const libraries = names.state === 'seen' ? names.value.libraries : [];
  const wanted = name.toLowerCase().replace(/\.$/, '');
  return {
    library: libraries.length === 1 ? libraries[0]! : 'unknown',
    ...(names.state === 'seen' && names.value.hosts && { sources: names.value.hosts }),
    ...(hosts.state === 'seen' && {
      hosts: hosts.value
        .filter((entry) => entry.names.some((one) => one.toLowerCase() === wanted))
        .map(({ address }) => address),
    }),
    nameservers: file.nameservers,
    search: file.search,
    options: Object.entries(file.options).map(([option, value]) => (value === '' ? option : `${option}:${value}`)),
  };
}

interface LookedUp {
  readonly style: ResolverStyle;
  readonly samples: ProbeSample[];
}

async function lookUp(
  run: Run,
  host: string,
  styles: readonly ResolverStyle[],
  sender: Place,
  { nameservers, search, options: written }: ResolvConf,
  options: DnsOptions,
): Promise<{ readonly lookups: readonly LookedUp[]; readonly changes: readonly (StateChange & { target: string })[] }> {
  const changes: (StateChange & { target: string })[] = [];
  if (nameservers.length === 0) return { lookups: [], changes };
  const { waitMs } = options.plan;
  const at: Place = { node: sender.node, namespace: sender.namespace };
  const targets = styles.map((style) => {
    const question = { host, style, servers: nameservers.slice(0, SERVERS_MAX), search, options: written };
    const { timeoutMs: _, ...args } = resolverArgs({ ...question, timeoutMs: waitMs });
    return { request: { action: 'probe.lookup', place: at, args, round: 0 }, circumstances: {} };
  });
  const lookups = styles.map((style): LookedUp => ({ style, samples: [] }));
  const watches = styles.map(() => createStateWatch(PROMPT_MAX_MS));
  const counts = { sent: 0, found: 0 };
  options.tell(`looking up ${host}`);
  const sending: Pick<Host, 'perform' | 'nowMs'> = {
    nowMs: () => run.host.nowMs(),
    perform: (requests, limits, signal) => run.host.perform(withPodUids(run.snapshot(), requests), limits, signal),
  };
  await run.timed('looking up', () =>
    sendRepeatedly(sending, targets, options.plan, options, (of, sample) => {
      keep(lookups[of]!.samples, sample);
      counts.sent++;
      if (sample.passed === 'yes') counts.found++;
      options.live(`${counts.sent} look-ups, ${counts.found} found, last ${sample.latencyMs ?? '?'} ms`);
      if (!options.isWatch) return;
      for (const change of watches[of]!.take(sample)) {
        const named = { ...change, target: `${host} as ${styles[of]}` };
        changes.push(named);
        options.mark(named);
      }
    }),
  );
  return { lookups, changes };
}

/** Of a long watch the questions of most look-ups are let go; what they came to is counted all the same. */
function keep(samples: ProbeSample[], sample: ProbeSample): void {
  const { lookup } = sample;
  const isSpare = samples.length >= SAMPLES_MAX && lookup !== undefined;
  samples.push(isSpare ? { ...sample, lookup: { ...lookup, queries: [] } } : sample);
}

/** The name that decides: the one that was found, else the first one that was not simply denied, else the name as it is. */
function decisiveName(host: string, lookups: readonly LookedUp[]): string {
  const all = lookups.flatMap(({ samples }) => samples.flatMap(({ lookup }) => lookup ?? []));
  const found = all.find((one) => one.found !== undefined)?.found;
  const failed = all.flatMap(({ queries }) => queries).find(({ outcome }) => outcome !== 'nxdomain');
  return found ?? failed?.name ?? `${host.replace(/\.$/, '')}.`;
}

/** What the servers are asked for by themselves: the family that was found; IPv4 where none was. */
function typeOf(lookups: readonly LookedUp[], family: Family | undefined): 'A' | 'AAAA' {
  if (family !== undefined) return family === 6 ? 'AAAA' : 'A';
  const found = lookups.flatMap(({ samples }) => samples.flatMap(({ lookup }) => lookup?.addresses ?? []));
  return found.length > 0 && found.every((address: Address) => familyOf(address) === 6) ? 'AAAA' : 'A';
}
