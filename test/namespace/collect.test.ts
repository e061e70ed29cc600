import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COLLECTORS } from '../../src/collect/collectors.ts';
import type { Reply, Request } from '../../src/host/host.ts';
import { createLocalHost } from '../../src/host/local.ts';
import { hostOf, type Place, podPlace } from '../../src/net/place.ts';
import { addNamespaces, cable, removeNamespaces, skipped, whyNot, within } from './collect-lab.ts';

/*
 * Every collector is run on a namespace that has some of everything and on one that has nothing, and the kernel's tables,
 * links, settings and modules are compared before and after.
 */
const FULL = 'podtriage-full';
const BARE = 'podtriage-bare';
const why = whyNot('nft', 'ipset', 'iptables-nft', 'iptables-legacy', 'bridge', 'tc', 'ss');

function furnish(): void {
  addNamespaces(FULL, BARE);
  cable(FULL, BARE);
  const full = (line: string): string => within(FULL, ...line.split(' '));
  full('ip link add name br0 type bridge');
  full('ip link add name veth0 type veth peer name veth1');
  full('ip link set veth0 master br0 up');
  full('ip link set br0 up');
  full('ip addr add 10.231.7.1/24 dev br0');
  full('ip neigh add proxy 10.231.7.9 dev br0');
  full('ip route add 10.232.0.0/16 via 192.0.2.2 table 100');
  full('ip rule add from 10.231.7.0/24 lookup 100');
  full('iptables-legacy -A FORWARD -s 10.231.7.0/24 -j DROP');
  full('iptables-nft -A FORWARD -d 10.231.7.0/24 -m comment --comment here -j ACCEPT');
  full('nft add table inet own');
  full('nft add chain inet own c { type filter hook input priority 0 ; }');
  full('ipset create peers hash:ip');
  full('ipset add peers 10.231.7.5');
  full('tc qdisc add dev veth0 clsact');
}

/** What collecting must leave as it was. */
function stateOf(namespace: string): Readonly<Record<string, string>> {
  const here = (...command: readonly string[]): string => within(namespace, ...command);
  const read = (path: string): string => here('sh', '-c', `cat ${path} 2>/dev/null || true`);
  return {
    legacy4: read('/proc/net/ip_tables_names'),
    legacy6: read('/proc/net/ip6_tables_names'),
    targets: read('/proc/net/ip_tables_targets /proc/net/ip_tables_matches'),
    nft: here('nft', '-a', 'list', 'ruleset'),
    ipset: here('ipset', 'list'),
    // A bridge's timers run by themselves.
    links: here('ip', '-d', 'link', 'show').replace(/_timer +[\d.]+/g, '_timer'),
    addresses: here('ip', 'addr', 'show'),
    routes: here('ip', 'route', 'show', 'table', 'all') + here('ip', '-6', 'route', 'show', 'table', 'all'),
    rules: here('ip', 'rule', 'show') + here('ip', '-6', 'rule', 'show'),
    fdb: here('bridge', 'fdb', 'show'),
    qdiscs: here('tc', 'qdisc', 'show'),
    sysctls: here('sh', '-c', 'grep -rs "" /proc/sys/net | grep -v nf_conntrack_count || true'),
    modules: existsSync('/proc/modules')
      ? readFileSync('/proc/modules', 'utf8').replace(/ \d+ (?=\S+ Live)/g, ' ')
      : '',
    moduleNames: existsSync('/sys/module') ? readdirSync('/sys/module').sort().join(' ') : '',
  };
}

/** The state of two namespaces, once it has come to rest: a new link's addresses take a second to be final. */
async function settledState(): Promise<unknown> {
  let before = '';
  for (let round = 0; round < 50; round++) {
    const now = JSON.stringify([stateOf(FULL), stateOf(BARE)]);
    if (now === before && !now.includes('tentative')) return JSON.parse(now);
    before = now;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  throw new Error('the namespaces do not come to rest');
}

const full = hostOf('w1');
const bare = podPlace('w1', 'test', 'bare');

/** Of no entry of a table: to be told that there is none creates none either. */
const CONNECTION = {
  protocol: 'udp',
  source: '192.0.2.1',
  destination: '192.0.2.2',
  sourcePort: 40_000,
  destinationPort: 53,
};

/** Every collector of a node, with every argument that it takes. */
function allRequests(place: Place): readonly Request[] {
  const ask = (action: string, args: Request['args']): Request => ({ action, place, args, round: 0 });
  return COLLECTORS.filter(({ scope }) => scope !== 'cluster').flatMap(({ fact }) => {
    if (fact === 'iptables.nft') {
      return ['', 'nat', 'filter', 'mangle', 'raw'].flatMap((table) => [
        ask(fact, { family: 4, table }),
        ask(fact, { family: 6, table }),
      ]);
    }
    if (['routes', 'rules', 'iptables.legacy'].includes(fact))
      return [ask(fact, { family: 4 }), ask(fact, { family: 6 })];
    if (fact === 'nft.table')
      return [ask(fact, { family: 'inet', name: 'own' }), ask(fact, { family: 'ip', name: 'nat' })];
    if (fact === 'iptables.chain')
      return ['FORWARD', 'OUTPUT', 'NONE'].map((chain) => ask(fact, { family: 4, table: 'filter', chain }));
    if (fact === 'nft.chain') return [ask(fact, { family: 'inet', name: 'own', chain: 'c' })];
    if (fact === 'nft.sets') return ['sets', 'maps'].map((kind) => ask(fact, { family: 'inet', kind }));
    if (fact === 'nft.outline') return [ask(fact, { family: 'inet', name: 'own' })];
    if (fact === 'conntrack') return [ask(fact, CONNECTION)];
    return [ask(fact, {})];
  });
}

describe.skipIf(why !== '')(`collecting${skipped(why)}`, () => {
  let before: unknown;
  let after: unknown;
  const replies: Reply[] = [];

  const textOf = (action: string, place: Place, args: Request['args'] = {}): string => {
    const found = replies.find(
      ({ request }) =>
        request.action === action &&
        request.place === place &&
        Object.entries(args).every(([key, value]) => request.args[key] === value),
    );
    if (found?.got !== 'raw') throw new Error(`${action}: ${JSON.stringify(found)}`);
    expect(found).toMatchObject({ exitCode: 0, truncated: false });
    return Buffer.from(found.raw).toString('utf8');
  };

  beforeAll(async () => {
    furnish();
    before = await settledState();
    const namespaces = { 'w1|host': `/run/netns/${FULL}`, 'w1|pod/test/bare': `/run/netns/${BARE}` };
    const host = createLocalHost({ nodes: { w1: { initPid: 1, namespaces } } });
    const requests = [...allRequests(full), ...allRequests(bare)];
    const limits = { deadlineMs: 30_000, maxBytes: 32 << 20 };
    for await (const reply of host.perform(requests, limits, new AbortController().signal)) replies.push(reply);
    await host.close();
    after = await settledState();
    expect(replies).toHaveLength(requests.length);
  }, 60_000);

  afterAll(() => removeNamespaces(FULL, BARE));

  it('changes no table, rule, set, link, address, route, setting or module', () => {
    expect(after).toEqual(before);
  });

  it('reads both backends of iptables, each only where it is', () => {
    expect(textOf('iptables.legacy', full, { family: 4 })).toContain('-A FORWARD -s 10.231.7.0/24 -j DROP');
    expect(textOf('iptables.legacy', full, { family: 4 })).not.toContain('*nat');
    expect(textOf('iptables.legacy', bare, { family: 4 })).toBe('');
    expect(textOf('iptables.nft', full, { family: 4, table: '' })).toContain('--comment here -j ACCEPT');
    expect(textOf('iptables.nft', bare, { family: 4, table: '' })).toBe('');
  });

  it('reads nftables, sets, links, routes, rules, neighbours and hooks', () => {
    expect(textOf('nft.tables', full)).toContain('"own"');
    expect(textOf('nft.table', full, { name: 'own' })).toContain('"hook": "input"');
    expect(textOf('ipsets', full)).toContain('add peers 10.231.7.5');
    expect(textOf('links', full)).toContain('"info_slave_kind":"bridge"');
    expect(textOf('routes', full, { family: 4 })).toContain('10.232.0.0/16');
    expect(textOf('rules', full, { family: 4 })).toContain('"table":"100"');
    expect(textOf('neighbours', full)).toContain('10.231.7.9');
    expect(textOf('fdb', full)).toContain('veth0');
    expect(textOf('qdiscs', full)).toContain('clsact');
    expect(textOf('tc-filters', full)).toBe('# veth0 ingress\n[]\n# veth0 egress\n[]\n');
  });

  it('reads the settings and counters of that namespace and no other', () => {
    const sysctls = JSON.parse(textOf('sysctls', full)) as { files: { path: string; text?: string }[] };
    const paths = sysctls.files.map(({ path }) => path);
    expect(paths).toContain('/proc/sys/net/ipv4/conf/br0/rp_filter');
    expect(textOf('sysctls', bare)).not.toContain('br0');
    expect(textOf('counters', bare)).toContain('IpExt:');
    expect(new Set(paths).size).toBe(paths.length);
  });

  it('names the tool that answered', () => {
    const tools = new Map(replies.map((reply) => [reply.request.action, reply.got === 'raw' ? reply.tool : '']));
    expect(tools.get('links')).toMatch(/^iproute2-\d/);
    expect(tools.get('fdb')).toMatch(/^iproute2-\d/);
    expect(tools.get('nft.tables')).toMatch(/^nftables v\d/);
    expect(tools.get('ipsets')).toMatch(/^ipset v\d/);
    expect(tools.get('iptables.nft')).toMatch(/^iptables v[\d.]+ \(nf_tables\)$/);
    expect(tools.get('sysctls')).toMatch(/^Linux \d/);
  });

  it('has a gap with its reason for what is not there', () => {
    const gone = replies.find(({ request }) => request.action === 'nft.table' && request.args.name === 'nat')!;
    expect(gone).toMatchObject({ got: 'nothing', gap: 'failed', detail: expect.stringContaining('No such file') });
    const files = replies.find(({ request }) => request.action === 'resolv-conf' && request.place === bare)!;
    expect(files).toMatchObject({ got: 'nothing', gap: 'unreachable', detail: expect.stringContaining('no pod uid') });
  });

  it('leaves nothing else to be told apart from a failure', () => {
    // That there is no such connection is told by conntrack(8) with an exit code of its own.
    const expected = new Set([
      'iptables.chain',
      'nft.table',
      'nft.chain',
      'nft.outline',
      'conntrack',
      'resolv-conf',
      'hosts-file',
      'name-service',
    ]);
    const gaps = replies.filter(({ got, request }) => got === 'nothing' && !expected.has(request.action));
    expect(gaps).toEqual([]);
  });
});
