import { describe, expect, test } from 'vitest';
import { type GivenFact, given, snapshotOf } from '../../../test/scenarios/given-facts.ts';
import { aNode } from '../../../test/scenarios/shop-cluster.ts';
import { hostOf } from '../../net/place.ts';
import type { Node } from '../../snapshot/objects.ts';
import { flannelIntent, flannelMasquerade, flannelPeers } from './flannel-intent.ts';

const PREFIX = 'flannel.alpha.coreos.com/';

function node(name: string, address: string, podCIDRs: readonly string[], mac: string, backend = 'vxlan'): Node {
  return {
    metadata: {
      name,
      annotations: {
        [`${PREFIX}backend-data`]: backend === 'vxlan' ? `{"VNI":1,"VtepMAC":"${mac}"}` : 'null',
        [`${PREFIX}backend-type`]: backend,
        [`${PREFIX}kube-subnet-manager`]: 'true',
        [`${PREFIX}public-ip`]: address,
      },
    },
    spec: { podCIDR: podCIDRs[0]!, podCIDRs },
    status: { addresses: [{ type: 'InternalIP', address }] },
  };
}

const nodes = (backend?: string) =>
  given('api.nodes', [
    node('w1', '10.78.0.11', ['10.244.0.0/24'], 'f6:06:7a:22:23:b0', backend),
    node('w2', '10.78.0.12', ['10.244.1.0/24'], 'd6:4f:62:3a:1e:09', backend),
  ]);

const daemonset = (args: readonly string[]) =>
  given('api.daemonsets', [
    {
      metadata: { namespace: 'kube-flannel', name: 'kube-flannel-ds' },
      spec: { template: { spec: { containers: [{ name: 'kube-flannel', image: 'flannel:v0.28', command: args }] } } },
    },
  ]);

const config = (backend: object) =>
  given(
    'api.configmaps',
    [
      {
        metadata: { namespace: 'kube-flannel', name: 'kube-flannel-cfg' },
        data: { 'net-conf.json': JSON.stringify({ Network: '10.244.0.0/16', Backend: backend }) },
      },
    ],
    undefined,
    { args: { namespace: 'kube-flannel' } },
  );

const peers = (...facts: readonly GivenFact[]) => flannelPeers(flannelIntent(snapshotOf(facts))!, 'w1');

describe('flannelPeers', () => {
  test('vxlan: route, neighbour and forwarding entry as flannel 0.28 makes them on a real node', () => {
    expect(peers(nodes(), daemonset(['/opt/bin/flanneld']), config({ Type: 'vxlan' }))).toEqual([
      {
        peer: 'w2',
        podCidr: { address: '10.244.1.0', length: 24 },
        publicAddress: '10.78.0.12',
        route: { destination: { address: '10.244.1.0', length: 24 }, via: '10.244.1.0', device: 'flannel.1' },
        neighbour: { address: '10.244.1.0', mac: 'd6:4f:62:3a:1e:09', device: 'flannel.1' },
        fdb: { mac: 'd6:4f:62:3a:1e:09', remote: '10.78.0.12', device: 'flannel.1' },
      },
    ]);
  });

  test('direct routing allows the node itself as next hop; unread configuration allows it too', () => {
    const direct = { via: '10.78.0.12' };
    expect(peers(nodes(), daemonset([]), config({ Type: 'vxlan', DirectRouting: true }))[0]).toMatchObject({ direct });
    expect(peers(nodes(), daemonset([]))[0]).toMatchObject({ direct });
  });

  test('host-gw: the peer is the next hop', () => {
    const [peer] = peers(nodes('host-gw'), daemonset([]), config({ Type: 'host-gw' }));
    expect(peer!.route).toEqual({ destination: { address: '10.244.1.0', length: 24 }, via: '10.78.0.12' });
    expect(peer).not.toHaveProperty('fdb');
  });

  test('a back end that is not known intends nothing that could be missed', () => {
    expect(peers(nodes('wireguard'), daemonset([]))).toEqual([]);
  });

  test('no flannel, no intent', () => {
    expect(flannelIntent(snapshotOf([given('api.nodes', [aNode('w1', '10.0.0.11')])]))).toBeUndefined();
  });
});

describe('flannelMasquerade', () => {
  const file = (value: string) =>
    given(
      'flannel-subnet',
      { FLANNEL_NETWORK: '10.244.0.0/16', FLANNEL_SUBNET: '10.244.0.1/24', FLANNEL_IPMASQ: value },
      hostOf('w1'),
    );
  const ask = (...facts: readonly GivenFact[]) => flannelMasquerade(snapshotOf(facts), 'w1', 4);

  test.each([
    ['with the flag', [daemonset(['flanneld', '--ip-masq', '--kube-subnet-mgr'])], 'yes'],
    ['without the flag', [daemonset(['flanneld', '--kube-subnet-mgr'])], 'no'],
    ['by the file of the node', [file('true')], 'yes'],
    ['by the file of the node', [file('false')], 'no'],
    ['the flag in a shell line', [daemonset(['/bin/sh', '-c', 'flanneld --ip-masq=true'])], 'yes'],
    ['nothing read', [nodes()], 'unknown'],
    ['arguments not read', [daemonset([])], 'unknown'],
  ] as const)('%s', (_, facts, masquerade) => expect(ask(...facts).masquerade).toBe(masquerade));

  test('k3s masquerades', () => {
    const k3s = node('w1', '10.0.0.1', ['10.42.0.0/24'], '00:00:00:00:00:01');
    const one = { ...k3s, status: { nodeInfo: { kubeletVersion: 'v1.31.4+k3s1' } } };
    expect(ask(given('api.nodes', [one])).masquerade).toBe('yes');
  });
});
