import { parseAddress } from '../net/address.ts';
import { nearNames } from './near-names.ts';
import type { TargetProblem } from './question.ts';
import { TARGET_TYPES, type Target } from './target.ts';

const MAX_WORD = 1024;
const SCHEME_PORTS: Readonly<Record<string, string>> = {
  http: '80',
  https: '443',
  ws: '80',
  wss: '443',
  tcp: '',
  udp: '',
  dns: '53',
  grpc: '',
  ssh: '22',
  ftp: '21',
  redis: '6379',
  amqp: '5672',
  mysql: '3306',
  postgres: '5432',
  postgresql: '5432',
  mongodb: '27017',
  kafka: '9092',
  ldap: '389',
  ldaps: '636',
};

/**
 * One word of the command line taken apart. Pure grammar: whether the thing exists is resolveQuestion's business.
 * `pod/NS/NAME`, `TYPE/NAME`, `svc/NS/NAME:PORT`, `node/NAME:PORT`, `ip/ADDRESS`, `ADDRESS:PORT`, `[v6]:PORT`,
 * `HOST:PORT`, a URL, or one bare name. A port is a number or a port's name.
 */
export function parseTarget(word: string): Target | TargetProblem {
  const text = word.trim();
  if (text === '') return problem('an empty word names nothing', []);
  if (text.length > MAX_WORD) return problem(`"${text.slice(0, 40)}…" is too long to be a target`, []);
  const url = /^(?<scheme>[a-z][a-z0-9+.-]*):\/\/(?<rest>.*)$/i.exec(text);
  if (url) return parseUrl(url.groups!.scheme!.toLowerCase(), url.groups!.rest!, text);
  const typed = text.indexOf('/');
  if (typed >= 0) return parseTyped(text.slice(0, typed), text.slice(typed + 1), text);
  return parseUntyped(text);
}

/** The user's word as it may be printed and stored: without a URL's user and password. */
export function withoutUserinfo(word: string): string {
  return word.trim().replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/?#]*@/i, '$1');
}

function parseUrl(scheme: string, rest: string, text: string): Target | TargetProblem {
  const authority = rest.split(/[/?#]/, 1)[0]!;
  const place = authority.slice(authority.lastIndexOf('@') + 1);
  if (place === '') return problem(`"${withoutUserinfo(text)}" is a URL without a host`, []);
  const target = parseUntyped(place);
  if ('problem' in target) return target;
  const standard = SCHEME_PORTS[scheme] || undefined;
  const more = { scheme, ...portOf(target), ...(standard === undefined ? {} : { schemePort: standard }) };
  if (target.kind === 'address') return { kind: 'address', address: target.address, ...more };
  const host = target.kind === 'bare' ? target.word : target.kind === 'host' ? target.host : place;
  return { kind: 'host', host, ...more };
}

function parseTyped(type: string, rest: string, text: string): Target | TargetProblem {
  // kubectl prints and accepts TYPE.GROUP/NAME: deployment.apps/web, and `-o name` gives it so.
  const known = TARGET_TYPES[type.toLowerCase()] ?? TARGET_TYPES[type.toLowerCase().split('.', 1)[0]!];
  if (known === undefined) return unknownType(type, rest, text);
  if (known === 'address' || known === 'host') return parseExplicit(known, rest, text);
  const split = splitPort(rest);
  if ('problem' in split) return split;
  const parts = split.name.split('/');
  if (known === 'node') {
    if (parts.length !== 1) return problem(`"${text}": a node has no namespace, write node/NAME`, []);
    return namesOnly(parts) ?? { kind: 'node', name: parts[0]!, ...portOf(split) };
  }
  if (parts.length > 2) return problem(`"${text}" has too many parts, write ${type}/NAMESPACE/NAME`, []);
  const wrong = namesOnly(parts);
  if (wrong) return wrong;
  const name = parts.at(-1)!;
  const where = { name, ...(parts.length === 2 ? { namespace: parts[0]! } : {}), ...portOf(split) };
  if (known === 'pod' || known === 'service') return { kind: known, ...where };
  return { kind: 'workload', workload: known, ...where };
}

function unknownType(type: string, rest: string, text: string): TargetProblem {
  const near = nearNames(type, Object.keys(TARGET_TYPES)).map((name) => `${name}/${rest}`);
  if (/^\d+(\.\d+){3}$/.test(type)) {
    return problem(`"${text}" is a prefix, not one address`, [`ip/${type}`]);
  }
  const asPod = rest.includes('/') ? [] : [`pod/${text}`, `svc/${text}`];
  return problem(`"${type}" is no type of target (pod, svc, node, ip, deploy, ds, sts, rs, job …)`, [
    ...near,
    ...asPod,
  ]);
}

function parseExplicit(kind: 'address' | 'host', rest: string, text: string): Target | TargetProblem {
  const target = parseUntyped(rest);
  if ('problem' in target || target.kind === kind) return target;
  if (kind === 'address') return problem(`"${rest}" in "${text}" is not an IP address`, []);
  if (target.kind === 'bare') return { kind: 'host', host: target.word, ...portOf(target) };
  return target;
}

function parseUntyped(text: string): Target | TargetProblem {
  const plain = parseAddress(text);
  if (plain !== undefined) return { kind: 'address', address: plain };
  const bracketed = /^\[(?<inside>[^\]]*)\](?<after>.*)$/.exec(text);
  if (bracketed) return parseBracketed(bracketed.groups!.inside!, bracketed.groups!.after!, text);
  if (text.includes('%')) return problem(`"${text}": an address with a zone means something on one link only`, []);
  if (text.split(':').length > 2) {
    return problem(`"${text}" is not an IPv6 address; with a port, write [ADDRESS]:PORT`, []);
  }
  const split = splitPort(text);
  if ('problem' in split) return split;
  const address = parseAddress(split.name);
  if (address !== undefined) return { kind: 'address', address, ...portOf(split) };
  return parseHost(split.name, portOf(split), text);
}

function parseBracketed(inside: string, after: string, text: string): Target | TargetProblem {
  const address = parseAddress(inside);
  if (address === undefined || !address.includes(':')) return problem(`"[${inside}]" is not an IPv6 address`, []);
  if (after === '') return { kind: 'address', address };
  const split = splitPort(after);
  if ('problem' in split) return split;
  if (split.name !== '') return problem(`"${text}": only a :PORT can stand behind the bracket`, []);
  return { kind: 'address', address, ...portOf(split) };
}

/** RFC 1123 labels, with the underscore that SRV records and some clusters use; a trailing dot is kept (no search). */
function parseHost(host: string, port: { port?: string }, text: string): Target | TargetProblem {
  if (/^[\d.]+$/.test(host)) return problem(`"${host}" is not an IP address`, []);
  const labels = host.replace(/\.$/, '').split('.');
  const fits = host.length <= 254 && labels.every((label) => /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/i.test(label));
  if (!fits) return problem(`"${text}" is neither a name, nor an address, nor TYPE/NAME`, []);
  if (labels.length === 1 && !host.endsWith('.')) return { kind: 'bare', word: host, ...port };
  return { kind: 'host', host, ...port };
}

function namesOnly(parts: readonly string[]): TargetProblem | undefined {
  for (const part of parts) {
    if (part === '') return problem('a name is missing between the slashes', []);
    if (!/^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$/i.test(part)) return problem(`"${part}" cannot be a Kubernetes name`, []);
  }
  return undefined;
}

function splitPort(text: string): { readonly name: string; readonly port?: string } | TargetProblem {
  const colon = text.lastIndexOf(':');
  if (colon < 0) return { name: text };
  const port = text.slice(colon + 1);
  const wrong = portProblem(port);
  return wrong === undefined ? { name: text.slice(0, colon), port } : problem(`"${text}": ${wrong}`, []);
}

/** What is wrong with this text as a port (a number from 1 to 65535, or an IANA service name, RFC 6335 §5.1). */
export function portProblem(port: string): string | undefined {
  if (/^\d+$/.test(port)) {
    return Number(port) >= 1 && Number(port) <= 65535 ? undefined : `port ${port} is not between 1 and 65535`;
  }
  // A ServicePort's name may have 63 characters, a container port's 15.
  if (/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i.test(port)) return undefined;
  return port === '' ? 'the port behind the colon is missing' : `"${port}" is no port`;
}

function portOf(from: object): { port?: string } {
  return 'port' in from && typeof from.port === 'string' ? { port: from.port } : {};
}

function problem(text: string, near: readonly string[]): TargetProblem {
  return { kind: 'usage', problem: text, near };
}
