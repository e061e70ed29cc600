import { collectorOf } from '../../src/collect/collectors.ts';
import type { Reply, Request } from '../../src/host/host.ts';
import { CLUSTER, hostOf, type Place, podPlace } from '../../src/net/place.ts';
import { createSnapshot } from '../../src/snapshot/create-snapshot.ts';
import type { FactArgs, FactName } from '../../src/snapshot/facts.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import type { CaseItem, CaseNamespace, KernelCase } from './case.ts';
import type { DriverStep } from './steps-of-case.ts';

/** One question to one namespace; where the case can have nothing of it, the answer that the tool would give. */
export interface Asked {
  readonly request: Request;
  readonly step?: DriverStep;
  readonly text?: string;
}

/** The namespaces' places in the cluster that the simulator is told of. */
export function placeOf(namespace: CaseNamespace): Place {
  return namespace.pod ? podPlace(namespace.node, 'pt', namespace.name) : hostOf(namespace.node);
}

/** What is asked of a case's namespaces, by the same collectors as of a cluster's. */
export function askCase(one: KernelCase): readonly Asked[] {
  return one.namespaces.flatMap((namespace) => askNamespace(one, namespace));
}

const NO_TABLES = '{"nftables": []}\n';

function askNamespace(one: KernelCase, namespace: CaseNamespace): Asked[] {
  const items = one.items.filter((item) => item.ns === namespace.name);
  const has = (test: (item: (typeof items)[number]) => boolean): boolean => items.some(test);
  // A tunnel's outer packets are of one family, whatever is inside.
  const outer = one.items.flatMap((item) =>
    'line' in item && item.line.includes('type vxlan') ? [/ local \S*:/.test(item.line) ? 6 : 4] : [],
  );
  const families = [4, 6].filter(
    (family) => one.packets.some((packet) => packet.family === family) || outer.includes(family),
  );
  const hasNft = has((item) => item.kind === 'nft');
  const hasXtNft = has((item) => 'backend' in item && item.backend === 'nft');
  const hasXtNftOf = (family: number): boolean =>
    has((item) => 'backend' in item && item.backend === 'nft' && item.family === family);
  const hasBridge = has((item) => 'line' in item && /\b(bridge|vxlan|geneve)\b/.test(item.line));
  const ask = (action: FactName, args: FactArgs, empty?: string): Asked => asked(namespace, action, args, empty);
  const unless = (needed: boolean, text: string): string | undefined => (needed ? undefined : text);
  return [
    ask('links', {}),
    ask('sysctls', {}),
    ask('neighbours', {}),
    ask('sockets', {}),
    ask('fdb', {}, unless(hasBridge, '[]')),
    ask(
      'ipsets',
      {},
      unless(
        has((item) => item.kind === 'ipset'),
        '',
      ),
    ),
    tcFiltersOf(namespace, items),
    ...(namespace.pod ? [] : [ask('kernel', {})]),
    ask('nft.tables', {}, unless(hasNft || hasXtNft, NO_TABLES)),
    ...families.flatMap((family) => [
      ask('routes', { family }),
      ask('rules', { family }),
      ask('iptables.legacy', { family }),
      ask('iptables.nft', { family, table: '' }, unless(hasXtNftOf(family), '')),
    ]),
    ...items.flatMap((item) => (item.kind === 'conntrack' ? [ask('conntrack', flowOf(item.line))] : [])),
    ...nftTablesOf(one, namespace.name).map(({ family, name }) => ask('nft.table', { family, name })),
    ...nftTablesOf(one, namespace.name)
      .filter(({ hasDevices }) => hasDevices)
      .map(({ family, name }) => ask('nft.outline', { family, name })),
    ...(has((item) => 'line' in item && /\b(nhid|nexthop (add|replace))\b/.test(item.line))
      ? [ask('nexthops' as FactName, {})]
      : []),
    ...(has((item) => 'line' in item && /vlan_filtering 1/.test(item.line))
      ? [ask('bridge-vlans' as FactName, {})]
      : []),
  ];
}

/** The flow of an entry that `conntrack -I` makes, as the collector asks for it. */
function flowOf(line: string): FactArgs {
  const said = (option: string): string => new RegExp(`(?:^| )${option} (\\S+)`).exec(line)?.[1] ?? '';
  return {
    protocol: said('-p'),
    source: said('-s'),
    destination: said('-d'),
    sourcePort: Number(said('--sport')),
    destinationPort: Number(said('--dport')),
  };
}

/** tc tells of one device and direction at a time: as the node side puts its answers together (node-side-tc-filters.ts). */
function tcFiltersOf(namespace: CaseNamespace, items: readonly CaseItem[]): Asked {
  const hooks = items.flatMap((item) =>
    item.kind === 'tc' ? (/^filter add dev (\S+) (\S+) /.exec(item.line) ?? []) : [],
  );
  const pairs = Array.from({ length: hooks.length / 3 }, (_, at) => [hooks[3 * at + 1]!, hooks[3 * at + 2]!] as const);
  const request: Request = { action: 'tc-filters', place: placeOf(namespace), args: {}, round: 0 };
  if (pairs.length === 0) return { request, text: '' };
  const script = pairs.map(([device, way]) => `echo '# ${device} ${way}'; tc -j filter show dev ${device} ${way}`);
  return { request, step: { do: 'run', ns: namespace.name, argv: ['sh', '-c', script.join('; ')] } };
}

interface NamedTable {
  readonly family: string;
  readonly name: string;
  /** It has chains at devices. */
  readonly hasDevices: boolean;
}

function nftTablesOf(one: KernelCase, ns: string): readonly NamedTable[] {
  const lines = one.items.flatMap((item) => (item.kind === 'nft' && item.ns === ns ? [item.line] : []));
  return lines.flatMap((line) => {
    const [, family, name] = /^add table (\S+) (\S+)/.exec(line) ?? [];
    if (family === undefined || name === undefined) return [];
    const hasDevices = lines.some(
      (other) => other.startsWith(`add chain ${family} ${name} `) && / device /.test(other),
    );
    return [{ family, name, hasDevices }];
  });
}

function asked(namespace: CaseNamespace, action: FactName, args: FactArgs, empty: string | undefined): Asked {
  const request: Request = { action, place: placeOf(namespace), args, round: 0 };
  if (empty !== undefined) return { request, text: empty };
  const how = collectorOf(action)?.how(args);
  if (how?.via === 'command') {
    const { argv, input, when } = how;
    return { request, step: { do: 'run', ns: namespace.name, argv, ...(input && { input }), ...(when && { when }) } };
  }
  if (how?.via === 'files') return { request, step: { do: 'files', ns: namespace.name, paths: how.paths } };
  throw new Error(`${action} is not collected from a namespace`);
}

export function replyOf(request: Request, text: string, exitCode: number): Reply {
  const raw = new TextEncoder().encode(text);
  return { request, startedAtMs: 0, tookMs: 0, got: 'raw', raw, exitCode, truncated: false, tool: '' };
}

/** The API's lists, as they would be of a cluster that looks like this. */
export function apiReplies(one: KernelCase): Reply[] {
  const nodes = one.namespaces.filter(({ pod }) => !pod);
  const pods = one.namespaces.filter(({ pod }) => pod);
  const list = (action: FactName, items: readonly unknown[]): Reply =>
    replyOf({ action, place: CLUSTER, args: {}, round: 0 }, JSON.stringify({ items }), 0);
  return [
    list(
      'api.nodes',
      nodes.map(({ node, addresses }) => ({
        metadata: { name: node },
        spec: {},
        status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })), conditions: [] },
      })),
    ),
    list(
      'api.pods',
      pods.map(({ name, node, addresses }) => ({
        metadata: { name, namespace: 'pt' },
        spec: { nodeName: node, containers: [] },
        status: { phase: 'Running', podIP: addresses[0], podIPs: addresses.map((ip) => ({ ip })) },
      })),
    ),
    list('api.services', []),
    list('api.endpointslices', []),
  ];
}

export function snapshotOfCase(one: KernelCase, replies: readonly Reply[]): Snapshot {
  return createSnapshot([...apiReplies(one), ...replies]);
}
