import { type BenchService, ENDPOINT_PORT, POD_NETWORK, SERVICE_NETWORK, SERVICE_PORT, shortHash } from './services.ts';

/**
 * What `nft -j list table ip kube-proxy` shows of kube-proxy in nftables mode (Kubernetes 1.34, pkg/proxy/nftables/proxier.go,
 * as recorded in src/simulate/fixtures-nft/kube-proxy): per Service a chain with a random verdict map, per endpoint a chain.
 */
export function* nftablesLayout(services: readonly BenchService[], nodeAddress: string): Generator<string> {
  let handle = 100;
  const withHandle = (kind: string, item: object): string =>
    spaced({ [kind]: { family: 'ip', table: TABLE, handle: ++handle, ...item } });
  const chains = services.map(chainsOf);
  yield `{"nftables": [${spaced({ metainfo: { version: '1.0.6', release_name: 'Lester Gooch #5', json_schema_version: 1 } })}`;
  yield spaced({ table: { family: 'ip', name: TABLE, handle: 1 } });
  yield withHandle('set', {
    name: 'cluster-ips',
    type: 'ipv4_addr',
    comment: 'Active ClusterIPs',
    elem: services.map(({ address }) => address),
  });
  yield withHandle('set', { name: 'nodeport-ips', type: 'ipv4_addr', elem: [nodeAddress] });
  for (const [name, type] of EMPTY_MAPS) yield withHandle('map', { name, type, map: 'verdict' });
  yield withHandle('map', {
    name: 'service-ips',
    type: ['ipv4_addr', 'inet_proto', 'inet_service'],
    comment: 'ClusterIP, ExternalIP and LoadBalancer IP traffic',
    map: 'verdict',
    elem: chains.map(({ chain, address }) => [{ concat: [address, 'tcp', SERVICE_PORT] }, { goto: { target: chain } }]),
  });
  for (const [name, type, hook, prio] of BASE_CHAINS)
    yield withHandle('chain', { name, type, hook, prio, policy: 'accept' });
  for (const name of PLAIN_CHAINS) yield withHandle('chain', { name });
  for (const { chain, endpoints } of chains) {
    for (const endpoint of endpoints) yield withHandle('chain', { name: endpoint.chain });
    yield withHandle('chain', { name: chain });
  }
  for (const [chain, expr] of RULES) yield withHandle('rule', { chain, expr });
  for (const one of chains) {
    for (const { chain, address } of one.endpoints) {
      yield withHandle('rule', { chain, expr: [equals(payload('saddr'), address), jump('mark-for-masquerade')] });
      yield withHandle('rule', {
        chain,
        expr: [equals({ meta: { key: 'l4proto' } }, 'tcp'), { dnat: { addr: address, port: ENDPOINT_PORT } }],
      });
    }
    const { chain, address, endpoints } = one;
    yield withHandle('rule', {
      chain,
      expr: [
        equals(payload('daddr'), address),
        { match: { op: '!=', left: payload('saddr'), right: prefixOf(POD_NETWORK) } },
        jump('mark-for-masquerade'),
      ],
    });
    const set = endpoints.map((endpoint, index) => [index, { goto: { target: endpoint.chain } }]);
    const key = { numgen: { mode: 'random', mod: endpoints.length, offset: 0 } };
    yield withHandle('rule', { chain, expr: [{ vmap: { key, data: { set } } }] });
  }
}

/** Items are apart by `, `; the document ends so. */
export const NFTABLES_END = ']}\n';

const TABLE = 'kube-proxy';

interface Chains {
  readonly chain: string;
  readonly address: string;
  readonly endpoints: readonly { readonly chain: string; readonly address: string }[];
}

function chainsOf({ name, address, endpoints }: BenchService): Chains {
  const port = `${name}/tcp/http`;
  return {
    chain: `service-${shortHash(port, 8)}-${port}`,
    address,
    endpoints: endpoints.map((one) => {
      const full = `${port}__${one}/${ENDPOINT_PORT}`;
      return { chain: `endpoint-${shortHash(full, 8)}-${full}`, address: one };
    }),
  };
}

const BASE_CHAINS = [
  ['filter-prerouting-pre-dnat', 'filter', 'prerouting', -110],
  ['filter-output-pre-dnat', 'filter', 'output', -110],
  ['filter-input', 'filter', 'input', 0],
  ['filter-forward', 'filter', 'forward', 0],
  ['filter-output', 'filter', 'output', 0],
  ['nat-prerouting', 'nat', 'prerouting', -100],
  ['nat-output', 'nat', 'output', -100],
  ['nat-postrouting', 'nat', 'postrouting', 100],
] as const;

const PLAIN_CHAINS: readonly string[] = [
  'nodeport-endpoints-check',
  'service-endpoints-check',
  'firewall-check',
  'services',
  'masquerading',
  'cluster-ips-check',
  'mark-for-masquerade',
  'reject-chain',
];

const TO_PORT = ['ipv4_addr', 'inet_proto', 'inet_service'];
const EMPTY_MAPS: readonly (readonly [string, readonly string[]])[] = [
  ['no-endpoint-services', TO_PORT],
  ['no-endpoint-nodeports', TO_PORT.slice(1)],
  ['firewall-ips', TO_PORT],
  ['service-nodeports', TO_PORT.slice(1)],
];

function equals(left: unknown, right: unknown): object {
  return { match: { op: '==', left, right } };
}

function payload(field: string, protocol = 'ip'): object {
  return { payload: { protocol, field } };
}

function jump(target: string): object {
  return { jump: { target } };
}

function prefixOf(network: string): object {
  const [addr, len] = network.split('/');
  return { prefix: { addr, len: Number(len) } };
}

const NEW = { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'new' } };
const MARK = { meta: { key: 'mark' } };
const PORT_KEY = { concat: [{ meta: { key: 'l4proto' } }, payload('dport', 'th')] };
const ADDRESS_AND_PORT_KEY = { concat: [payload('daddr'), ...PORT_KEY.concat] };

function vmap(key: object, map: string): object {
  return { vmap: { key, data: `@${map}` } };
}

const RULES: readonly (readonly [string, readonly object[]])[] = [
  ['filter-prerouting-pre-dnat', [NEW, jump('firewall-check')]],
  ['filter-output-pre-dnat', [NEW, jump('firewall-check')]],
  ['filter-input', [NEW, jump('nodeport-endpoints-check')]],
  ['filter-input', [NEW, jump('service-endpoints-check')]],
  ['filter-forward', [NEW, jump('service-endpoints-check')]],
  ['filter-forward', [NEW, jump('cluster-ips-check')]],
  ['filter-output', [NEW, jump('service-endpoints-check')]],
  ['filter-output', [NEW, jump('cluster-ips-check')]],
  ['nat-prerouting', [jump('services')]],
  ['nat-output', [jump('services')]],
  ['nat-postrouting', [jump('masquerading')]],
  ['nodeport-endpoints-check', [equals(payload('daddr'), '@nodeport-ips'), vmap(PORT_KEY, 'no-endpoint-nodeports')]],
  ['service-endpoints-check', [vmap(ADDRESS_AND_PORT_KEY, 'no-endpoint-services')]],
  ['firewall-check', [vmap(ADDRESS_AND_PORT_KEY, 'firewall-ips')]],
  ['services', [vmap(ADDRESS_AND_PORT_KEY, 'service-ips')]],
  ['services', [equals(payload('daddr'), '@nodeport-ips'), vmap(PORT_KEY, 'service-nodeports')]],
  ['masquerading', [equals({ '&': [MARK, 0x4000] }, 0), { return: null }]],
  ['masquerading', [{ mangle: { key: MARK, value: { '^': [MARK, 0x4000] } } }]],
  ['masquerading', [{ masquerade: { flags: 'fully-random' } }]],
  [
    'cluster-ips-check',
    [equals(payload('daddr'), '@cluster-ips'), { reject: { type: 'icmp', expr: 'port-unreachable' } }],
  ],
  ['cluster-ips-check', [equals(payload('daddr'), prefixOf(SERVICE_NETWORK)), { drop: null }]],
  ['mark-for-masquerade', [{ mangle: { key: MARK, value: { '|': [MARK, 0x4000] } } }]],
  ['reject-chain', [{ reject: { type: 'icmp', expr: 'port-unreachable' } }]],
];

/** As libjansson prints it, with a blank behind every comma and colon that stands outside of a string. */
function spaced(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(spaced).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, one]) => `${JSON.stringify(name)}: ${spaced(one)}`)
    .join(', ')}}`;
}
