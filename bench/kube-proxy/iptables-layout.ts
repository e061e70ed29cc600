import { type BenchService, ENDPOINT_PORT, POD_NETWORK, SERVICE_PORT, shortHash } from './services.ts';

/**
 * What `iptables-save -c` shows of kube-proxy in iptables mode (Kubernetes 1.34, pkg/proxy/iptables/proxier.go, as recorded
 * in src/simulate/fixtures/flannel-vxlan.json), without the nfacct rules, which it leaves out where the kernel has no nfacct.
 * 17 rules for a Service with five endpoints.
 */
export function* iptablesLayout(services: readonly BenchService[]): Generator<string> {
  yield* FILTER;
  const chains = services.map(chainsOf);
  yield* [
    '*nat',
    ':PREROUTING ACCEPT [0:0]',
    ':INPUT ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':POSTROUTING ACCEPT [0:0]',
  ];
  yield* [':KUBE-KUBELET-CANARY', ':KUBE-MARK-MASQ', ':KUBE-NODEPORTS', ':KUBE-POSTROUTING'].map(declared);
  yield* chains
    .flatMap(({ endpoints }) => endpoints.map(({ chain }) => `:${chain}`))
    .toSorted()
    .map(declared);
  yield declared(':KUBE-SERVICES');
  yield* chains
    .map(({ chain }) => `:${chain}`)
    .toSorted()
    .map(declared);
  yield* NAT_HEAD;
  for (const one of chains.flatMap((service) => service.endpoints.map((endpoint) => ({ ...endpoint, service })))) {
    const comment = `-m comment --comment "${one.service.port}"`;
    yield counted(`-A ${one.chain} -s ${one.address}/32 ${comment} -j KUBE-MARK-MASQ`);
    yield counted(`-A ${one.chain} -p tcp ${comment} -m tcp -j DNAT --to-destination ${one.address}:${ENDPOINT_PORT}`);
  }
  for (const { chain, port, address } of chains)
    yield counted(`-A KUBE-SERVICES ${toService(port, address)} -j ${chain}`);
  yield counted(
    '-A KUBE-SERVICES -m comment --comment "kubernetes service nodeports; NOTE: this must be the last rule in this chain" -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS',
  );
  for (const { chain, port, address, endpoints } of chains) {
    yield counted(`-A ${chain} ! -s ${POD_NETWORK} ${toService(port, address)} -j KUBE-MARK-MASQ`);
    for (const [index, endpoint] of endpoints.entries()) {
      const comment = `-m comment --comment "${port} -> ${endpoint.address}:${ENDPOINT_PORT}"`;
      yield counted(`-A ${chain} ${comment}${chance(endpoints.length - index)} -j ${endpoint.chain}`);
    }
  }
  yield 'COMMIT';
}

interface ServiceChains {
  readonly chain: string;
  readonly port: string;
  readonly address: string;
  readonly endpoints: readonly { readonly chain: string; readonly address: string }[];
}

function chainsOf({ name, address, endpoints }: BenchService): ServiceChains {
  const port = `${name}:http`;
  return {
    chain: `KUBE-SVC-${shortHash(`${port}tcp`, 16)}`,
    port,
    address,
    endpoints: endpoints.map((endpoint) => ({
      chain: `KUBE-SEP-${shortHash(`${port}tcp${endpoint}:${ENDPOINT_PORT}`, 16)}`,
      address: endpoint,
    })),
  };
}

function toService(port: string, address: string): string {
  return `-d ${address}/32 -p tcp -m comment --comment "${port} cluster IP" -m tcp --dport ${SERVICE_PORT}`;
}

/** The kernel keeps a probability in 31 bits (xt_statistic), and so it is printed with what that leaves of it. */
function chance(left: number): string {
  if (left === 1) return '';
  return ` -m statistic --mode random --probability ${(Math.round(0x8000_0000 / left) / 0x8000_0000).toFixed(11)}`;
}

function declared(name: string): string {
  return `${name} - [0:0]`;
}

function counted(rule: string): string {
  return `[0:0] ${rule}`;
}

const FILTER: readonly string[] = [
  '*filter',
  ':INPUT ACCEPT [0:0]',
  ':FORWARD ACCEPT [0:0]',
  ':OUTPUT ACCEPT [0:0]',
  ...[
    ':KUBE-EXTERNAL-SERVICES',
    ':KUBE-FIREWALL',
    ':KUBE-FORWARD',
    ':KUBE-KUBELET-CANARY',
    ':KUBE-NODEPORTS',
    ':KUBE-PROXY-CANARY',
    ':KUBE-PROXY-FIREWALL',
    ':KUBE-SERVICES',
  ].map(declared),
  ...[
    '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
    '-A INPUT -m comment --comment "kubernetes health check service ports" -j KUBE-NODEPORTS',
    '-A INPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
    '-A INPUT -j KUBE-FIREWALL',
    '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
    '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD',
    '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    '-A FORWARD -m conntrack --ctstate NEW -m comment --comment "kubernetes externally-visible service portals" -j KUBE-EXTERNAL-SERVICES',
    '-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes load balancer firewall" -j KUBE-PROXY-FIREWALL',
    '-A OUTPUT -m conntrack --ctstate NEW -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    '-A OUTPUT -j KUBE-FIREWALL',
    '-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
    '-A KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP',
    '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding rules" -m mark --mark 0x4000/0x4000 -j ACCEPT',
    '-A KUBE-FORWARD -m comment --comment "kubernetes forwarding conntrack rule" -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
  ].map(counted),
  'COMMIT',
];

const NAT_HEAD: readonly string[] = [
  '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
  '-A OUTPUT -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
  '-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING',
  '-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000',
  '-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
  '-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0',
  '-A KUBE-POSTROUTING -m comment --comment "kubernetes service traffic requiring SNAT" -j MASQUERADE --random-fully',
].map(counted);
