import { type Address, type Family, familyOf } from '../net/address.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { parseTarget, portProblem, withoutUserinfo } from './parse-target.ts';
import { type Endpoint, isTargetProblem, type Protocol, type Question, type TargetProblem } from './question.ts';
import { type ResolvedDestination, resolveDestination } from './resolve-destination.ts';
import { resolveSource } from './resolve-source.ts';
import type { Target } from './target.ts';
import { notFound, usageProblem } from './target-problem.ts';

/** What the user said on the command line. */
export interface QuestionWords {
  readonly source: string;
  readonly destination: string;
  /** `-n`: where names without a namespace are looked up. Without it: `default`, then the source's own namespace. */
  readonly namespace?: string;
  readonly port?: string | number;
  readonly protocol?: Protocol;
  readonly family?: Family;
  readonly class?: string;
  /** Container of the source pod. */
  readonly container?: string;
}

/** The user's words → what is asked, against the API's objects in this snapshot. Pure. */
export function resolveQuestion(snapshot: Snapshot, words: QuestionWords): Question | TargetProblem {
  const from = parseTarget(words.source);
  if (isTargetProblem(from)) return from;
  const to = parseTarget(words.destination);
  if (isTargetProblem(to)) return to;
  const port = portAsked(to, words);
  if (typeof port === 'object') return port;
  const namespace = words.namespace ?? 'default';
  const source = resolveSource(snapshot, from, namespace, words.container);
  if (isTargetProblem(source)) return source;
  const protocol = words.protocol ?? schemeProtocol(to);
  const sourceNamespace = source.endpoint.kind === 'pod' ? source.endpoint.namespace : undefined;
  const destination = resolveDestination(snapshot, to, {
    namespace,
    ...(sourceNamespace === undefined ? {} : { sourceNamespace }),
    ...(port === undefined ? {} : { port }),
    ...(protocol === undefined ? {} : { protocol }),
  });
  if (isTargetProblem(destination)) return destination;
  return askedAbout(words, protocol, source, destination);
}

function askedAbout(
  words: QuestionWords,
  asked: Protocol | undefined,
  source: { readonly endpoint: Endpoint; readonly notes: readonly string[] },
  destination: ResolvedDestination,
): Question | TargetProblem {
  const family = familyFor(words.family, source.endpoint, destination.endpoint);
  if (typeof family === 'object') return family;
  const { endpoint } = destination;
  // The name of a port that the Service lacks is a port all the same, though nobody knows its number.
  const hasPort = destination.port !== undefined || (endpoint.kind === 'service' && endpoint.portAsked !== undefined);
  const protocol = asked ?? destination.protocol ?? (hasPort ? 'tcp' : 'icmp');
  const noPort = portMissing(protocol, destination);
  if (noPort) return noPort;
  const dropped = protocol === 'icmp' && destination.port !== undefined;
  return {
    source: source.endpoint,
    destination: destination.endpoint,
    protocol,
    ...(destination.port === undefined || dropped ? {} : { port: destination.port }),
    family,
    asked: { source: words.source.trim(), destination: withoutUserinfo(words.destination) },
    ...(words.class === undefined ? {} : { class: words.class }),
    notes: [
      ...source.notes,
      ...destination.notes,
      ...(dropped ? [`icmp has no ports: ${destination.port} is not used`] : []),
    ],
  };
}

function portMissing(protocol: Protocol, destination: ResolvedDestination): TargetProblem | undefined {
  if (protocol === 'icmp' || destination.port !== undefined) return undefined;
  const { endpoint } = destination;
  // A Service without the port that was asked for is a finding, not a misuse.
  if (endpoint.kind === 'service' && endpoint.portAsked !== undefined) return undefined;
  if (endpoint.kind === 'service' && endpoint.type !== 'ExternalName') {
    const where = `svc/${endpoint.namespace}/${endpoint.name}`;
    return notFound(`${where} has no ${protocol} port`, [where]);
  }
  return usageProblem(`${protocol} needs a port: add :PORT to the destination or --port`);
}

function portAsked(to: Target, words: QuestionWords): string | undefined | TargetProblem {
  const inWord = 'port' in to ? to.port : undefined;
  const option = words.port === undefined ? undefined : String(words.port);
  if (option === undefined) return inWord ?? ('schemePort' in to ? to.schemePort : undefined);
  const wrong = portProblem(option);
  if (wrong !== undefined) return usageProblem(`--port: ${wrong}`);
  if (inWord !== undefined && inWord !== option) {
    return usageProblem(`the destination says port ${inWord} and --port says ${option}`);
  }
  return option;
}

function schemeProtocol(to: Target): Protocol | undefined {
  const scheme = 'scheme' in to ? to.scheme : undefined;
  if (scheme === undefined) return undefined;
  return scheme === 'udp' || scheme === 'dns' ? 'udp' : 'tcp';
}

function familyFor(asked: Family | undefined, source: Endpoint, destination: Endpoint): Family | TargetProblem {
  const to = addressesOf(destination).map(familyOf);
  const from = addressesOf(source).map(familyOf);
  if (asked !== undefined) {
    if (to.length === 0 || to.includes(asked)) return asked;
    return notFound(`the destination has no IPv${asked} address (it has ${addressesOf(destination).join(', ')})`);
  }
  const common = from.find((family) => to.includes(family));
  return common ?? to[0] ?? from[0] ?? 4;
}

/** The addresses by which an endpoint is reached; none for names, headless Services and pods without a network. */
export function addressesOf(endpoint: Endpoint): readonly Address[] {
  if (endpoint.kind === 'address') return [endpoint.address];
  return endpoint.kind === 'name' ? [] : endpoint.addresses;
}
