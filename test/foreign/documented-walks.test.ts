import { describe, expect, it } from 'vitest';
import { readFixture } from './fixture.ts';
import type { Probe } from './probe.ts';
import { summaryOf, walkProbe } from './walk-probe.ts';

type Walk = readonly [what: string, probe: string, ...ends: readonly string[]];

/** `from[@source][#user] > to[:port][/protocol]`; IPv6 in brackets where a port follows. */
function probeOf(text: string): Probe {
  const shape =
    /^(?<from>\w+)(?:@(?<source>[^#\s]+))?(?:#(?<user>\d+))? > (?<to>\[[^\]]+\]|[\d.]+)(?::(?<port>\d+))?(?:\/(?<protocol>\w+))?$/.exec(
      text,
    )?.groups;
  if (!shape) throw new Error(`no probe: ${text}`);
  return {
    from: shape.from!,
    to: shape.to!.replaceAll(/[[\]]/g, ''),
    ...(shape.source === undefined ? {} : { source: shape.source }),
    ...(shape.user === undefined ? {} : { user: Number(shape.user) }),
    ...(shape.port === undefined ? {} : { port: Number(shape.port) }),
    ...(shape.protocol === undefined ? {} : { protocol: shape.protocol as NonNullable<Probe['protocol']> }),
  };
}

const BOTH = (source: string, second = source): readonly string[] => [
  `1/2 sent ${source} > 10.244.0.10:8080`,
  `1/2 sent ${second} > 10.244.1.10:8080`,
];
/** The addresses that a masquerade takes: the bridge's towards a pod here, the node's else. */
const MASQUERADED = BOTH('10.244.0.1', '10.80.0.11');

/** Kubernetes' documentation, "Virtual IPs and Service Proxies"; the Services are those of make/kube-objects.ts. */
const SERVICES: readonly Walk[] = [
  ['each endpoint of a Service alike', 'client > 10.96.0.1:80', ...BOTH('10.244.0.4')],
  [
    'three endpoints alike',
    'client > 10.96.0.3:80',
    '1/3 sent 10.244.0.4 > 10.244.0.10:8080',
    '1/3 sent 10.244.0.4 > 10.244.1.10:8080',
    '1/3 sent 10.244.0.4 > 10.244.1.11:8080',
  ],
  [
    'another port of it, SCTP',
    'client > 10.96.0.2:3868/sctp',
    '1/2 sent 10.244.0.4 > 10.244.0.10:3868',
    '1/2 sent 10.244.0.4 > 10.244.1.10:3868',
  ],
  ['the node itself is masqueraded', 'node > 10.96.0.1:80', ...MASQUERADED],
  ['a NodePort is masqueraded', 'outside > 10.80.0.11:30080', ...MASQUERADED],
  ['… not with policy Local', 'outside > 10.80.0.11:30081', 'sent 10.80.0.1 > 10.244.0.10:8080'],
  [
    '… nor answered without a local endpoint',
    'outside > 10.80.0.11:30082',
    'dropped-by-rule 10.80.0.1 > 10.80.0.11:30082',
  ],
  ['… while a pod of the cluster reaches all of it', 'client > 10.80.0.11:30082', 'sent 10.244.0.4 > 10.244.1.10:8080'],
  ['a load balancer lets in its source ranges', 'outside > 198.51.100.10:80', ...MASQUERADED],
  ['… and nobody else', 'outside@192.0.2.200 > 198.51.100.10:80', 'dropped-by-rule 192.0.2.200 > 198.51.100.10:80'],
  ['one with ipMode Proxy is not cut short', 'client > 198.51.100.12:80', 'sent 10.244.0.4 > 198.51.100.12:80'],
  ['an external address', 'outside > 192.0.2.77:80', ...MASQUERADED],
  ['internal policy Local', 'client > 10.96.0.11:80', 'sent 10.244.0.4 > 10.244.0.10:8080'],
  ['… without a local endpoint', 'client > 10.96.0.12:80', 'dropped-by-rule 10.244.0.4 > 10.96.0.12:80'],
  ['no endpoints', 'client > 10.96.0.15:80', 'rejected-by-rule 10.244.0.4 > 10.96.0.15:80'],
  ['an endpoint that is not ready', 'client > 10.96.0.16:80', 'rejected-by-rule 10.244.0.4 > 10.96.0.16:80'],
  ['all endpoints terminating: still served', 'client > 10.96.0.17:80', ...BOTH('10.244.0.4')],
  ['one of them terminating: the other serves', 'client > 10.96.0.18:80', 'sent 10.244.0.4 > 10.244.1.10:8080'],
  ['hints of the own zone', 'client > 10.96.0.19:80', 'sent 10.244.0.4 > 10.244.0.10:8080'],
];

const WALKS: Readonly<Record<string, readonly Walk[]>> = {
  'kube-proxy/iptables-nft': [
    ...SERVICES,
    ['localhost NodePorts', 'node@127.0.0.1 > 127.0.0.1:30080', ...MASQUERADED],
    [
      'IPv6 alike',
      'client > [fd96::1]:80',
      '1/2 sent fd44::4 > fd44:0:0:1::10:8080',
      '1/2 sent fd44::4 > fd44::10:8080',
    ],
  ],
  'kube-proxy/nftables': [
    ...SERVICES,
    ['no NodePorts on localhost', 'node@127.0.0.1 > 127.0.0.1:30080', 'no-listener 127.0.0.1 > 127.0.0.1:30080'],
    [
      'an unused address of the Service range',
      'client > 10.96.77.77:80',
      'dropped-by-rule 10.244.0.4 > 10.96.77.77:80',
    ],
    ['an unused port of a Service', 'client > 10.96.0.1:81', 'rejected-by-rule 10.244.0.4 > 10.96.0.1:81'],
  ],
  'kube-proxy/iptables-legacy-bridge': [
    ['masqueradeAll', 'client > 10.96.0.1:80', ...MASQUERADED],
    ['localhostNodePorts off', 'node@127.0.0.1 > 127.0.0.1:30080', 'no-listener 127.0.0.1 > 127.0.0.1:30080'],
    ['nodePortAddresses: not on this one', 'client > 10.244.0.1:30080', 'no-listener 10.244.0.4 > 10.244.0.1:30080'],
  ],
  'kube-proxy/iptables-legacy-prefix': [
    ['what comes by the bridge has no such prefix', 'client > 10.96.0.1:80', ...MASQUERADED],
  ],
  'kube-proxy/nftables-masquerade-all': [['masqueradeAll', 'client > 10.96.0.1:80', ...MASQUERADED]],
};

for (const backend of ['iptables-nft', 'iptables-legacy', 'nftables']) {
  Object.assign(WALKS, {
    [`flannel/${backend}`]: [
      ['pods to the world are masqueraded', 'client > 192.0.2.1:80', 'sent 10.80.0.11 > 192.0.2.1:80'],
      ['pods among themselves are not', 'client > 10.244.1.10:80', 'sent 10.244.0.4 > 10.244.1.10:80'],
    ],
  });
}

for (const backend of ['iptables-nft', 'iptables-legacy']) {
  Object.assign(WALKS, {
    [`kube-router/${backend}`]: [
      ['a policy lets in whom it names', 'client > 10.244.0.10:8080', 'sent 10.244.0.4 > 10.244.0.10:8080'],
      ['… on that port only', 'client > 10.244.0.10:8081', 'rejected-by-rule 10.244.0.4 > 10.244.0.10:8081'],
      ['a block of addresses', 'outside > 10.244.0.10:9090', 'sent 10.80.0.1 > 10.244.0.10:9090'],
      [
        '… without its exception',
        'outside@10.80.0.99 > 10.244.0.10:9090',
        'rejected-by-rule 10.80.0.99 > 10.244.0.10:9090',
      ],
      ['egress to addresses', 'client > 203.0.113.1:443', 'sent 10.80.0.11 > 203.0.113.1:443'],
      ['… on that port only', 'client > 203.0.113.1:80', 'rejected-by-rule 10.244.0.4 > 203.0.113.1:80'],
      ['a pod without a policy for this way', 'web > 10.80.0.1:80', 'sent 10.80.0.11 > 10.80.0.1:80'],
      ['pods are not masqueraded to nodes', 'web > 10.80.0.12:80', 'sent 10.244.0.10 > 10.80.0.12:80'],
    ],
    // docs.tigera.io: policies, profiles, host endpoints, failsafe ports, defaultEndpointToHostAction.
    [`calico/${backend}`]: [
      ['a policy lets in whom it names', 'client > 10.244.0.10:8080', 'sent 10.244.0.4 > 10.244.0.10:8080'],
      ['… a range of ports', 'client > 10.244.0.10:9005', 'sent 10.244.0.4 > 10.244.0.10:9005'],
      ['… and drops the rest', 'client > 10.244.0.10:25', 'dropped-by-rule 10.244.0.4 > 10.244.0.10:25'],
      ['a profile lets through what no policy is about', 'web > 10.244.0.4:80', 'sent 10.244.0.10 > 10.244.0.4:80'],
      ['pools are masqueraded to the world', 'web > 10.80.0.1:80', 'sent 10.80.0.11 > 10.80.0.1:80'],
      ['a pod that takes another address', 'web@10.99.9.9 > 10.80.0.1:80', 'dropped-by-rule 10.99.9.9 > 10.80.0.1:80'],
      ['pods to the host', 'client > 10.80.0.11:22', 'dropped-by-rule 10.244.0.4 > 10.80.0.11:22'],
      ['the host may always reach its pods', 'node > 10.244.0.10:25', 'sent 10.80.0.11 > 10.244.0.10:25'],
      ['a failsafe port', 'outside@203.0.113.9 > 10.80.0.11:22', 'no-listener 203.0.113.9 > 10.80.0.11:22'],
      ['a host policy', 'outside > 10.80.0.11:6443', 'no-listener 10.80.0.1 > 10.80.0.11:6443'],
      ['… and the rest', 'outside > 10.80.0.11:80', 'dropped-by-rule 10.80.0.1 > 10.80.0.11:80'],
      [
        'a policy before DNAT',
        'outside@203.0.113.9 > 10.80.0.11:30080',
        'dropped-by-rule 203.0.113.9 > 10.80.0.11:30080',
      ],
      [
        'unused addresses of Services do not loop',
        'client > 10.96.9.9:53/udp',
        'dropped-by-rule 10.244.0.4 > 10.96.9.9:53',
      ],
    ],
    // istio.io, "Ztunnel traffic redirection": the mark 0x539 is ztunnel's own.
    [`istio/ambient-${backend.slice('iptables-'.length)}`]: [
      ['what an application sends', 'node > 192.0.2.1:80', 'no-listener 10.80.0.11 > 127.0.0.1:15001'],
      ['names are asked of ztunnel', 'node > 192.0.2.1:53/udp', 'no-listener 10.80.0.11 > 127.0.0.1:15053'],
      ['what comes in in the clear', 'outside > 10.80.0.11:8080', 'no-listener 10.80.0.1 > 10.80.0.11:15006'],
      ['what comes in by HBONE', 'outside > 10.80.0.11:15008', 'no-listener 10.80.0.1 > 10.80.0.11:15008'],
      [
        "the kubelet's probes",
        'outside@169.254.7.127 > 10.80.0.11:8080',
        'no-listener 169.254.7.127 > 10.80.0.11:8080',
      ],
    ],
    // shorewall-rules(5), shorewall-policy(5), shorewall-snat(5).
    [`shorewall/${backend}`]: [
      ['the policy from the net', 'outside > 10.80.0.11:23', 'dropped-by-rule 10.80.0.1 > 10.80.0.11:23'],
      ['a rule by ipset', 'outside > 10.80.0.11:22', 'no-listener 10.80.0.1 > 10.80.0.11:22'],
      ['a blacklisted address', 'outside@10.80.0.66 > 10.80.0.11:22', 'dropped-by-rule 10.80.0.66 > 10.80.0.11:22'],
      ['DNAT', 'outside > 10.80.0.11:80', 'sent 10.80.0.1 > 10.244.0.10:8080'],
      ['REDIRECT', 'outside > 10.80.0.11:8081', 'no-listener 10.80.0.1 > 10.80.0.11:3128'],
      ['the policy to the net, masqueraded', 'client > 10.80.0.1:80', 'sent 10.80.0.11 > 10.80.0.1:80'],
      ['… but for a rule', 'client > 203.0.113.9:80', 'dropped-by-rule 10.244.0.4 > 203.0.113.9:80'],
      ['all else is rejected', 'client > 10.80.0.11:22', 'rejected-by-rule 10.244.0.4 > 10.80.0.11:22'],
    ],
    // linkerd.io, "Proxy init": what the proxy's own user sends, and the ports that are skipped, pass.
    [`linkerd/${backend}`]: [
      ['what an application sends', 'node#1000 > 192.0.2.1:80', 'no-listener 10.80.0.11 > 127.0.0.1:4140'],
      ['what the proxy sends', 'node#2102 > 192.0.2.1:80', 'sent 10.80.0.11 > 192.0.2.1:80'],
      ['a port that is skipped', 'node#1000 > 192.0.2.1:4567', 'sent 10.80.0.11 > 192.0.2.1:4567'],
      ['what comes in', 'outside > 10.80.0.11:80', 'no-listener 10.80.0.1 > 10.80.0.11:4143'],
      ['… to the proxy itself', 'outside > 10.80.0.11:4191', 'no-listener 10.80.0.1 > 10.80.0.11:4191'],
    ],
    // github.com/aws/amazon-vpc-cni-k8s, docs/cni-proposal.md and its README's AWS_VPC_K8S_CNI_EXTERNALSNAT.
    [`aws-vpc-cni/${backend}`]: [
      ['to the world by the primary address', 'client > 203.0.113.1:80', 'sent 10.80.0.11 > 203.0.113.1:80'],
      ['within the VPC by its own', 'client > 10.80.0.1:80', 'sent 10.244.0.4 > 10.80.0.1:80'],
      ['… and to a block that is excepted', 'client > 198.51.100.1:80', 'sent 10.244.0.4 > 198.51.100.1:80'],
      ['to another pod', 'client > 10.244.0.10:80', 'sent 10.244.0.4 > 10.244.0.10:80'],
    ],
    // docs.cilium.io, "Masquerading", iptables-based.
    [`cilium/${backend}`]: [
      ['pods to the world are masqueraded', 'client > 10.80.0.1:80', 'sent 10.80.0.11 > 10.80.0.1:80'],
      ['pods among themselves are not', 'client > 10.244.0.10:80', 'sent 10.244.0.4 > 10.244.0.10:80'],
      ['the world to a pod', 'outside > 10.244.0.10:80', 'sent 10.80.0.1 > 10.244.0.10:80'],
    ],
    // docs.docker.com, "Packet filtering and firewalls".
    [`docker/${backend}`]: [
      ['a published port', 'outside > 10.80.0.11:8080', 'sent 10.80.0.1 > 172.17.0.2:80'],
      ['one published on localhost', 'outside > 10.80.0.11:8081', 'no-listener 10.80.0.1 > 10.80.0.11:8081'],
      ['a port that is not published', 'outside > 172.30.0.10:91', 'dropped-by-rule 10.80.0.1 > 172.30.0.10:91'],
      ['an internal network', 'outside > 172.31.0.10:90', 'dropped-by-rule 10.80.0.1 > 172.31.0.10:90'],
    ],
    // The manual of ufw(8), and its before.rules.
    [`ufw/${backend}`]: [
      ['an allowed port', 'outside > 10.80.0.11:22', 'no-listener 10.80.0.1 > 10.80.0.11:22'],
      ['incoming is denied', 'outside > 10.80.0.11:23', 'dropped-by-rule 10.80.0.1 > 10.80.0.11:23'],
      ['a denied source', 'outside@10.80.0.66 > 10.80.0.11:9000', 'dropped-by-rule 10.80.0.66 > 10.80.0.11:9000'],
      ['an allowed route', 'outside > 10.244.0.10:8080', 'sent 10.80.0.1 > 10.244.0.10:8080'],
      ['routed is denied else', 'outside > 10.244.0.10:8081', 'dropped-by-rule 10.80.0.1 > 10.244.0.10:8081'],
      ['reject out', 'node > 198.51.100.9:80', 'rejected-by-rule 10.80.0.11 > 198.51.100.9:80'],
      [
        'a limited port: not known how often it came',
        'outside > 10.80.0.11:2222',
        '? no-listener 10.80.0.1 > 10.80.0.11:2222',
        '? rejected-by-rule 10.80.0.1 > 10.80.0.11:2222',
      ],
    ],
  });
}

for (const backend of ['nftables', 'iptables-legacy']) {
  Object.assign(WALKS, {
    // firewalld.zone(5), firewalld.richlanguage(5), firewalld.policies(5).
    [`firewalld/${backend}`]: [
      ['a service of the zone', 'outside > 10.80.0.11:80', 'no-listener 10.80.0.1 > 10.80.0.11:80'],
      ['what it has not', 'outside > 10.80.0.11:81', 'rejected-by-rule 10.80.0.1 > 10.80.0.11:81'],
      ['zone drop by source', 'outside@10.80.0.9 > 10.80.0.11:80', 'dropped-by-rule 10.80.0.9 > 10.80.0.11:80'],
      ['a rich rule with an ipset', 'outside@10.80.0.70 > 10.80.0.11:80', 'dropped-by-rule 10.80.0.70 > 10.80.0.11:80'],
      [
        'a rich rule that rejects',
        'outside@203.0.113.9 > 10.80.0.11:80',
        'rejected-by-rule 203.0.113.9 > 10.80.0.11:80',
      ],
      ['a forward port', 'outside > 10.80.0.11:8081', 'sent 10.80.0.1 > 10.244.0.10:8080'],
      ['to a port here', 'outside > 10.80.0.11:8082', 'no-listener 10.80.0.1 > 10.80.0.11:80'],
      ['a policy between zones, masqueraded', 'client > 10.80.0.1:80', 'sent 10.80.0.11 > 10.80.0.1:80'],
      ['… with a rich rule', 'client > 198.51.100.9:80', 'rejected-by-rule 10.244.0.4 > 198.51.100.9:80'],
      ['not the other way', 'outside > 10.244.0.10:8080', 'rejected-by-rule 10.80.0.1 > 10.244.0.10:8080'],
    ],
  });
}

for (const backend of ['iptables-nft', 'iptables-legacy', 'nftables']) {
  // github.com/containernetworking/plugins, meta/portmap and meta/firewall.
  Object.assign(WALKS, {
    [`cni-plugins/${backend}`]: [
      ['a hostPort', 'outside > 10.80.0.11:8080', 'dropped-by-rule 10.80.0.1 > 10.244.0.10:80'],
      ['on localhost, with masquerade', 'node@127.0.0.1 > 127.0.0.1:8080', 'sent 10.244.0.1 > 10.244.0.10:80'],
      ['with a host address', 'node > 10.80.0.11:9090', 'sent 10.80.0.11 > 10.244.0.10:90'],
    ],
  });
}

for (const mode of ['redirect-nft', 'redirect-legacy', 'nftables']) {
  // Istio's "Application requirements": ports and the user 1337 that sidecars use.
  Object.assign(WALKS, {
    [`istio/${mode}`]: [
      ['what an application sends', 'node#1000 > 192.0.2.1:80', 'no-listener 10.80.0.11 > 127.0.0.1:15001'],
      ['what the proxy sends', 'node#1337 > 192.0.2.1:80', 'sent 10.80.0.11 > 192.0.2.1:80'],
      ['what comes in', 'outside > 10.80.0.11:8080', 'no-listener 10.80.0.1 > 10.80.0.11:15006'],
      ['… to a port of its own', 'outside > 10.80.0.11:15021', 'no-listener 10.80.0.1 > 10.80.0.11:15021'],
      ['localhost', 'node@127.0.0.1#1000 > 127.0.0.1:80', 'no-listener 127.0.0.1 > 127.0.0.1:80'],
      ['UDP', 'node#1000 > 192.0.2.1:5000/udp', 'sent 10.80.0.11 > 192.0.2.1:5000'],
      ['IPv6', 'node#1000 > [fd92::1]:80', 'no-listener fd80::11 > ::1:15001'],
    ],
  });
}

Object.assign(WALKS, {
  'istio/tproxy-nft': [
    [
      'what comes in goes to a proxy that does not listen',
      'outside > 10.80.0.11:8080',
      'dropped-by-rule 10.80.0.1 > 10.80.0.11:8080',
    ],
  ],
  'netavark/iptables-nft': [
    ['a published port', 'outside > 10.80.0.11:8080', 'sent 10.80.0.1 > 10.89.0.2:80'],
    ['a published range', 'outside > 10.80.0.11:7003/udp', 'sent 10.80.0.1 > 10.89.0.2:7003'],
    ['one of one address only', 'outside > 10.80.0.11:9090', 'sent 10.80.0.1 > 10.89.0.2:90'],
    ['containers to the world are masqueraded', 'c3@10.89.0.3 > 10.80.0.1:80', 'sent 10.80.0.11 > 10.80.0.1:80'],
  ],
  // kindnet's masquerade agent: nothing to pods of any node, nor to what it was told to leave alone.
  'kindnet/nftables': [
    ['pods to the world are masqueraded', 'client > 10.80.0.1:80', 'sent 10.80.0.11 > 10.80.0.1:80'],
    ['pods among themselves are not', 'client > 10.244.1.10:80', 'sent 10.244.0.4 > 10.244.1.10:80'],
    ['nor to the addresses that are excepted', 'client > 192.0.2.5:80', 'sent 10.244.0.4 > 192.0.2.5:80'],
    [
      'names are asked of its cache, where that runs',
      'client > 10.80.0.53:53/udp',
      '? handed-to-userspace 10.244.0.4 > 10.80.0.53:53',
      '? sent 10.80.0.11 > 10.80.0.53:53',
    ],
  ],
  // It decides about every first packet of a pod, but for the node's own processes of root and DNS before conntrack.
  'kube-network-policies/nftables': [
    ['to a pod with a policy', 'client > 10.244.0.10:8080', 'handed-to-userspace 10.244.0.4 > 10.244.0.10:8080'],
    ['from the world to a pod', 'outside > 10.244.0.4:80', 'handed-to-userspace 10.80.0.1 > 10.244.0.4:80'],
    ['a process of root here', 'node > 10.244.0.10:8080', 'sent 10.80.0.11 > 10.244.0.10:8080'],
    ['another', 'node#1000 > 10.244.0.10:8080', 'handed-to-userspace 10.80.0.11 > 10.244.0.10:8080'],
    ['what is no pod’s', 'outside > 10.244.1.10:80', 'sent 10.80.0.1 > 10.244.1.10:80'],
  ],
  // moby's description of its own table: docker/nftables.
  'docker/nftables': [
    ['a published port', 'outside > 10.80.0.11:8080', 'sent 10.80.0.1 > 10.244.0.10:80'],
    [
      'the container itself is not reached from outside',
      'outside > 10.244.0.10:80',
      'dropped-by-rule 10.80.0.1 > 10.244.0.10:80',
    ],
    ['a port that is not published', 'outside > 10.244.0.4:80', 'dropped-by-rule 10.80.0.1 > 10.244.0.4:80'],
    ['containers among themselves', 'client > 10.244.0.10:81', 'sent 10.244.0.4 > 10.244.0.10:81'],
    ['containers to the world are masqueraded', 'client > 10.80.0.1:80', 'sent 10.80.0.11 > 10.80.0.1:80'],
    ['an internal network', 'hidden@172.31.0.10 > 10.80.0.1:80', 'dropped-by-rule 172.31.0.10 > 10.80.0.1:80'],
  ],
  // A filter that sends elsewhere is seen and named; what it does is not modelled.
  'cni-plugins/bandwidth': [
    ['to a pod without limits', 'outside > 10.244.0.4:80', 'sent 10.80.0.1 > 10.244.0.4:80'],
    [
      'from a pod with one',
      'web > 10.80.0.1:80',
      '? sent 10.244.0.10 > 10.80.0.1:80',
      '? unknown (a tc filter on veth-web (u32) may change or drop the packet: not modelled) 10.244.0.10 > 10.80.0.1:80',
    ],
  ],
  'fail2ban/iptables-nft': [
    [
      'a banned address, its ports',
      'outside@10.80.0.66 > 10.80.0.11:22',
      'rejected-by-rule 10.80.0.66 > 10.80.0.11:22',
    ],
    ['another address', 'outside > 10.80.0.11:22', 'no-listener 10.80.0.1 > 10.80.0.11:22'],
    ['banned in nftables', 'outside@203.0.113.7 > 10.80.0.11:25', 'rejected-by-rule 203.0.113.7 > 10.80.0.11:25'],
  ],
});

describe.each(Object.keys(WALKS))('%s, as documented', (name) => {
  const fixture = readFixture(name);
  it.each(WALKS[name]!.map(([what, probe, ...ends]) => [what, probe, ends] as const))('%s', (_what, probe, ends) => {
    expect(summaryOf(walkProbe(fixture, probeOf(probe)))).toEqual(ends.toSorted());
  });
});
