import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { Family } from '../../src/net/address.ts';
import { hostOf } from '../../src/net/place.ts';
import { snapshotOfTexts, type TextFact } from '../../src/simulate/testing/build-snapshot.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import type { RouteNetwork, RouteQuery } from './route-network.ts';

export const HERE = hostOf('here');

/** What `ip route get` says. */
export type Answer =
  | {
      readonly kind: 'route';
      readonly type: string;
      readonly device: string;
      readonly via?: string;
      readonly source?: string;
    }
  | { readonly kind: 'refused'; readonly error: string };

const TYPES: Readonly<Record<string, string>> = {
  '1': 'unicast',
  '2': 'local',
  '3': 'broadcast',
  '4': 'anycast',
  '5': 'multicast',
  '6': 'blackhole',
  '7': 'unreachable',
  '8': 'prohibit',
};

/** Builds the network in the namespace; lines that the kernel refuses are left out. */
export function build(namespace: string, network: RouteNetwork): void {
  spawnSync('ip', ['netns', 'del', namespace]);
  execFileSync('ip', ['netns', 'add', namespace]);
  const [links, rest] = [
    network.setup.filter((line) => line.startsWith('link')),
    network.setup.filter((line) => !line.startsWith('link')),
  ];
  const off = [
    'net.ipv6.conf.default.accept_dad=0',
    'net.ipv6.conf.default.addr_gen_mode=1',
    'net.ipv6.conf.all.addr_gen_mode=1',
  ];
  within(namespace, ['sysctl', '-q', '-p', '-'], off.join('\n'));
  batch(namespace, links);
  within(namespace, ['sysctl', '-q', '-p', '-'], network.sysctls.join('\n'));
  // Each family's `ip` has its own batch, since -4 and -6 are no words of a line.
  const ofFamily = (family: Family): string[] =>
    rest.filter((line) => line.startsWith(`-${family} `)).map((line) => line.slice(3));
  const common = rest.filter((line) => !line.startsWith('-'));
  batch(
    namespace,
    common.filter((line) => !line.startsWith('nexthop')),
  );
  batch(
    namespace,
    ofFamily(4).filter((line) => line.startsWith('nexthop')),
    4,
  );
  batch(
    namespace,
    ofFamily(6).filter((line) => line.startsWith('nexthop')),
    6,
  );
  batch(
    namespace,
    common.filter((line) => line.startsWith('nexthop')),
  );
  settle(namespace);
  for (const family of [4, 6] as const) {
    batch(
      namespace,
      ofFamily(family).filter((line) => !line.startsWith('nexthop')),
      family,
    );
  }
}

/** An address of IPv6 gets its route a moment after it was added. */
function settle(namespace: string): void {
  const count = (...args: string[]): number =>
    (JSON.parse(execFileSync('ip', ['-n', namespace, '-6', '-j', ...args], { encoding: 'utf8' })) as unknown[]).length;
  const addresses = (): number =>
    (
      JSON.parse(execFileSync('ip', ['-n', namespace, '-6', '-j', 'addr'], { encoding: 'utf8' })) as {
        addr_info?: unknown[];
      }[]
    ).reduce((sum, link) => sum + (link.addr_info?.length ?? 0), 0);
  for (
    let tries = 0;
    tries < 50 && count('route', 'show', 'table', 'local', 'type', 'local', 'proto', 'kernel') < addresses();
    tries++
  ) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  }
}

function batch(namespace: string, lines: readonly string[], family?: Family): void {
  if (lines.length === 0) return;
  const args = [...(family === undefined ? [] : [`-${family}`]), '-force', '-batch', '-'];
  spawnSync('ip', ['-n', namespace, ...args], { input: `${lines.join('\n')}\n`, stdio: ['pipe', 'ignore', 'ignore'] });
}

function within(namespace: string, command: readonly string[], input = ''): string {
  return spawnSync('ip', ['netns', 'exec', namespace, ...command], { input, encoding: 'utf8' }).stdout;
}

/** What the collectors would have read. */
export function snapshotOf(namespace: string): Snapshot {
  const ip = (...args: string[]): string => execFileSync('ip', ['-n', namespace, ...args], { encoding: 'utf8' });
  const facts: TextFact[] = [
    ['links', HERE, {}, ip('-d', '-s', '-j', 'addr', 'show')],
    ['neighbours', HERE, {}, ip('-d', '-j', 'neigh', 'show')],
    ['nexthops', HERE, {}, ip('-d', '-N', '-j', 'nexthop', 'show')],
    ['sysctls', HERE, {}, sysctlsOf(namespace)],
    [
      'kernel',
      HERE,
      {},
      JSON.stringify({
        files: [{ path: '/proc/sys/kernel/osrelease', text: readFileSync('/proc/sys/kernel/osrelease', 'utf8') }],
      }),
    ],
  ];
  for (const family of [4, 6] as const) {
    facts.push(['routes', HERE, { family }, ip(`-${family}`, '-N', '-d', '-j', 'route', 'show', 'table', 'all')]);
    facts.push(['rules', HERE, { family }, ip(`-${family}`, '-N', '-d', '-j', 'rule', 'show')]);
  }
  return snapshotOfTexts(facts);
}

const NAMES =
  'rp_filter accept_local route_localnet src_valid_mark send_redirects bc_forwarding forwarding ignore_routes_with_linkdown use_tempaddr use_oif_addrs_only'.split(
    ' ',
  );

function sysctlsOf(namespace: string): string {
  const pattern = [
    ...NAMES.map((name) => `/proc/sys/net/ipv[46]/conf/*/${name}`),
    '/proc/sys/net/ipv4/fib_multipath_use_neigh',
    '/proc/sys/net/ipv4/ip_forward',
  ];
  const text = within(namespace, ['sh', '-c', `grep -H '' ${pattern.join(' ')} 2>/dev/null`]);
  const files = text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => ({ path: line.slice(0, line.indexOf(':')), text: line.slice(line.indexOf(':') + 1) }));
  return JSON.stringify({ files });
}

/** Asks the kernel. A line that fails says so on the other channel, by its number. */
export function ask(namespace: string, family: Family, queries: readonly RouteQuery[]): readonly Answer[] {
  const input = queries.map((query) => `route get ${wordsOf(query)}`).join('\n');
  const args = ['-n', namespace, `-${family}`, '-N', '-d', '-j', '-force', '-batch', '-'];
  const { stdout, stderr } = spawnSync('ip', args, { input: `${input}\n`, encoding: 'utf8' });
  const errors = errorsOf(stderr);
  const lines = stdout.split('\n').filter((line) => line.startsWith('['));
  let next = 0;
  return queries.map((_query, index): Answer => {
    const error = errors.get(index + 1);
    if (error !== undefined) return { kind: 'refused', error };
    return answerOf(JSON.parse(lines[next++]!)[0]);
  });
}

function errorsOf(stderr: string): Map<number, string> {
  const errors = new Map<number, string>();
  let reason = '';
  for (const line of stderr.split('\n')) {
    const failed = /^Command failed -:(\d+)/.exec(line);
    if (failed) errors.set(Number(failed[1]), reason);
    else reason = line.replace('RTNETLINK answers: ', '') || reason;
  }
  return errors;
}

function answerOf(item: Record<string, unknown>): Answer {
  const via = item.gateway ?? (item.via as { host?: string } | undefined)?.host;
  return {
    kind: 'route',
    type: TYPES[String(item.type)] ?? String(item.type),
    device: String(item.dev),
    ...(via === undefined ? {} : { via: String(via) }),
    ...(item.prefsrc === undefined ? {} : { source: String(item.prefsrc) }),
  };
}

function wordsOf(query: RouteQuery): string {
  const words = [query.destination];
  if (query.source !== undefined) words.push('from', query.source);
  if (query.input !== undefined) words.push('iif', query.input);
  if (query.output !== undefined) words.push('oif', query.output);
  if (query.mark !== 0) words.push('mark', String(query.mark));
  if (query.tos !== 0) words.push('tos', `0x${query.tos.toString(16)}`);
  if (query.protocol !== undefined) {
    words.push('ipproto', query.protocol, 'sport', String(query.sourcePort), 'dport', String(query.destinationPort));
  }
  // Without one, an input look-up of IPv6 would have none at all, and a real packet has user 0.
  words.push('uid', String(query.input === undefined ? (query.user ?? 0) : 0));
  return words.join(' ');
}

export function namespaceNames(): readonly string[] {
  try {
    return readdirSync('/run/netns');
  } catch {
    return [];
  }
}
