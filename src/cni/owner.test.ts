import { describe, expect, test } from 'vitest';
import { ownerOfChain, ownerOfNftTable, ownerOfRule } from './owner.ts';

describe('ownerOfRule', () => {
  const rows: readonly [table: string, rule: string, by: string][] = [
    // A real node: iptables-nft 1.8.9, kube-proxy 1.34, flannel 0.28.
    ['filter', '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j KUBE-FORWARD', 'kube-proxy'],
    ['filter', '-A FORWARD -j KUBE-FORWARD', 'kube-proxy'],
    ['filter', '-A INPUT -j KUBE-FIREWALL', 'kubelet'],
    ['filter', '-A FORWARD -m comment --comment "flanneld forward" -j FLANNEL-FWD', 'flannel'],
    ['filter', '-A FLANNEL-FWD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT', 'flannel'],
    [
      'filter',
      '-A KUBE-FORWARD -m conntrack --ctstate INVALID -m nfacct --nfacct-name  ct_state_invalid_dropped_pkts -j DROP',
      'kube-proxy',
    ],
    [
      'filter',
      '-A KUBE-FIREWALL ! -s 127.0.0.0/8 -d 127.0.0.0/8 -m comment --comment "block incoming localnet connections" -m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT -j DROP',
      'kubelet',
    ],
    [
      'filter',
      '-A KUBE-SERVICES -d 10.96.0.20/32 -p tcp -m comment --comment "shop/api has no endpoints" -m tcp --dport 80 -j REJECT --reject-with icmp-port-unreachable',
      'kube-proxy',
    ],
    ['nat', '-A KUBE-SEP-6RYSHF664ZMF6OX5 -p tcp -m tcp -j DNAT --to-destination 10.78.0.10:6443', 'kube-proxy'],
    [
      'nat',
      '-A FLANNEL-POSTRTG -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
      'flannel',
    ],
    // flannel before it had chains.
    ['filter', '-A FORWARD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j ACCEPT', 'flannel'],
    [
      'nat',
      '-A POSTROUTING -s 10.244.0.0/16 ! -d 224.0.0.0/4 -m comment --comment "flanneld masq" -j MASQUERADE --random-fully',
      'flannel',
    ],
    // Others.
    ['nat', '-A PREROUTING -m addrtype --dst-type LOCAL -j CNI-HOSTPORT-DNAT', 'portmap'],
    [
      'nat',
      '-A POSTROUTING -s 10.88.0.5/32 -m comment --comment "name: \\"podnet\\" id: \\"abc\\"" -j CNI-0123456789abcdef01234567',
      'cni-bridge',
    ],
    ['filter', '-A FORWARD -m comment --comment "cali:wUHhoiAYhphO9Mso" -j cali-FORWARD', 'calico'],
    [
      'filter',
      '-A FORWARD -m comment --comment "cali:S93hcgKJrXEqnTfs" -m mark --mark 0x10000/0x10000 -j ACCEPT',
      'calico',
    ],
    [
      'filter',
      '-A KUBE-POD-FW-ABCDEF -m comment --comment "rule to REJECT traffic" -j REJECT --reject-with icmp-port-unreachable',
      'kube-router',
    ],
    [
      'raw',
      '-A PREROUTING -d 169.254.20.10/32 -p udp -m comment --comment "NodeLocal DNS Cache: skip conntrack" -m udp --dport 53 -j NOTRACK',
      'node-local-dns',
    ],
    ['filter', '-A FORWARD -j DOCKER-USER', 'docker'],
    ['filter', '-A ufw-user-input -p tcp -m tcp --dport 22 -j ACCEPT', 'ufw'],
    ['filter', '-A ufw-after-forward -j DROP', 'ufw'],
    ['filter', '-A INPUT_ZONES -i eth0 -g IN_public', 'firewalld'],
    ['nat', '-A OUTPUT -p tcp -j ISTIO_OUTPUT', 'istio'],
    // Somebody's hand.
    ['filter', '-A FORWARD -d 10.244.1.0/24 -j DROP', 'foreign'],
    ['filter', '-A INPUT -p udp -m udp --dport 8472 -j DROP', 'foreign'],
    ['filter', '-A FORWARD -s 10.244.0.0/16 -m comment --comment "flanneld forward" -j DROP', 'foreign'],
    ['filter', '-A FORWARD -m comment --comment "kubernetes forwarding rules" -j DROP', 'foreign'],
    ['filter', '-A FORWARD -m comment --comment "say -j KUBE-FORWARD" -j DROP', 'foreign'],
    ['filter', '-A FLANNEL-FWD -d 10.244.1.0/24 -j DROP', 'foreign'],
    ['filter', '-A KUBE-FORWARD -d 10.244.1.0/24 -j DROP', 'foreign'],
    ['filter', '-A KUBE-FORWARD -j REJECT --reject-with icmp-port-unreachable', 'foreign'],
    ['filter', '-A FORWARD -m comment --comment "cali:forged" -j DROP', 'foreign'],
    ['filter', '-A FORWARD -j corporate-policy', 'foreign'],
    ['filter', '-A corporate-policy -j ACCEPT', 'foreign'],
  ];
  test.each(rows)('%s %s is %s’s', (table, text, by) => {
    const chain = /^-A (\S+)/.exec(text)![1]!;
    expect(ownerOfRule({ table, chain, text }).by).toBe(by);
  });

  test('the node’s own firewalls are not of the cluster', () => {
    expect(
      ownerOfRule({ table: 'filter', chain: 'ufw-before-forward', text: '-A ufw-before-forward -j DROP' }).ofCluster,
    ).toBe(false);
    expect(ownerOfRule({ table: 'filter', chain: 'FORWARD', text: '-A FORWARD -j DROP' }).ofCluster).toBe(false);
    expect(ownerOfRule({ table: 'filter', chain: 'cali-fw-x', text: '-A cali-fw-x -j DROP' }).ofCluster).toBe(true);
  });
});

test.each([
  ['KUBE-IPTABLES-HINT', 'kubelet'],
  ['KUBE-KUBELET-CANARY', 'kubelet'],
  ['KUBE-PROXY-CANARY', 'kube-proxy'],
  ['KUBE-SVC-NPX46M4PTMTKRN6Y', 'kube-proxy'],
  ['KUBE-ROUTER-FORWARD', 'kube-router'],
  ['KUBE-NWPLCY-ABC', 'kube-router'],
  ['AWS-SNAT-CHAIN-0', 'aws-vpc-cni'],
  ['PROXY_INIT_REDIRECT', 'linkerd'],
])('chain %s is %s’s', (chain, by) => expect(ownerOfChain(chain)?.by).toBe(by));

test('a built-in chain and an unknown one are nobody’s', () => {
  expect(ownerOfChain('FORWARD')).toBeUndefined();
  expect(ownerOfChain('my-chain')).toBeUndefined();
});

test.each([
  ['kube-proxy', 'kube-proxy', true],
  ['flannel-ipv4', 'flannel', true],
  ['firewalld', 'firewalld', false],
  ['filter', undefined, undefined],
])('nftables table %s', (name, by, ofCluster) => {
  expect(ownerOfNftTable(name)?.by).toBe(by);
  expect(ownerOfNftTable(name)?.ofCluster).toBe(ofCluster);
});
