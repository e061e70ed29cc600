import { describe, expect, test } from 'vitest';
import { type GivenFact, given, snapshotOf } from '../../test/scenarios/given-facts.ts';
import { aNode, aPod } from '../../test/scenarios/shop-cluster.ts';
import { hostOf, podPlace } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { unmodelledAt } from '../simulate/datapath.ts';
import type { Container, Workload } from '../snapshot/objects.ts';
import { datapathGate, gateRequests } from './gate.ts';

const w1 = hostOf('w1');

function daemonset(namespace: string, name: string, containers: readonly Partial<Container>[], more = {}): Workload {
  const template = { spec: { containers: containers.map((one) => ({ name, ...one })) } };
  return { metadata: { namespace, name }, spec: { template }, ...more };
}

function link(name: string, more: Partial<Link> = {}): Link {
  return { index: 9, name, flags: ['UP'], mtu: 1500, operstate: 'UP', type: 'ether', addresses: [], ...more };
}

const daemonsets = (...list: readonly Workload[]) => given('api.daemonsets', list);
const configMap = (namespace: string, name: string, data: Readonly<Record<string, string>>) =>
  given('api.configmaps', [{ metadata: { namespace, name }, data }], undefined, { args: { namespace } });
const rules = (chain: string, backend: 'nft' | 'legacy' = 'nft') =>
  given(`iptables.${backend}`, { tables: [{ name: 'nat', chains: [{ name: chain, rules: [] }] }] }, w1, {
    args: backend === 'nft' ? { family: 4, table: '' } : { family: 4 },
  });

function parts(...facts: readonly GivenFact[]) {
  const gate = datapathGate(snapshotOf(facts));
  const short = gate.parts.map(
    (one) => `${one.role} ${one.by}${one.mode ? ` ${one.mode}` : ''}${one.modelled ? '' : ' NOT-WALKED'}`,
  );
  return { gate, short };
}

const kubeProxy = daemonset('kube-system', 'kube-proxy', [{ image: 'registry.k8s.io/kube-proxy:v1.34.4' }]);
const flannel = daemonset('kube-flannel', 'kube-flannel-ds', [
  { name: 'kube-flannel', image: 'ghcr.io/flannel-io/flannel:v0.26.1', args: ['--ip-masq', '--kube-subnet-mgr'] },
]);
const netConf = (backend: object) =>
  configMap('kube-flannel', 'kube-flannel-cfg', {
    'net-conf.json': JSON.stringify({ Network: '10.244.0.0/16', Backend: backend }),
  });
const proxyConf = (mode: string) =>
  configMap('kube-system', 'kube-proxy', {
    'config.conf': `apiVersion: kubeproxy.config.k8s.io/v1alpha1\nkind: KubeProxyConfiguration\nmode: "${mode}"\n`,
  });

describe('who implements what, by evidence', () => {
  test('kubeadm with flannel', () => {
    const { gate, short } = parts(daemonsets(kubeProxy, flannel), netConf({ Type: 'vxlan' }), proxyConf(''));
    expect(short).toEqual(['services kube-proxy', 'pod-network flannel vxlan', 'policy unknown']);
    expect(gate.podAddressesRoutable).toBe('no');
    expect(unmodelledAt(gate, w1)).toBeUndefined();
  });

  test('flannel host-gw, and direct routing', () => {
    expect(parts(daemonsets(flannel), netConf({ Type: 'host-gw' })).gate.podAddressesRoutable).toBe('no');
    const direct = parts(daemonsets(flannel), netConf({ Type: 'vxlan', DirectRouting: true })).gate;
    expect(direct.podAddressesRoutable).toBe('unknown');
    expect(parts(daemonsets(flannel)).gate.podAddressesRoutable).toBe('unknown');
  });

  test('flannel in user space is not walked', () => {
    expect(parts(daemonsets(flannel), netConf({ Type: 'udp' })).short).toContain('pod-network flannel udp NOT-WALKED');
  });

  test.each([
    ['ipvs', 'services kube-proxy ipvs'],
    ['nftables', 'services kube-proxy nftables'],
    ['iptables', 'services kube-proxy iptables'],
  ])('kube-proxy in mode %s by its ConfigMap', (mode, expected) => {
    expect(parts(daemonsets(kubeProxy), proxyConf(mode)).short).toContain(expected);
  });

  test('a flag tells the mode too', () => {
    const flagged = daemonset('kube-system', 'kube-proxy', [
      { image: 'kube-proxy:v1', command: ['/bin/sh', '-c', 'exec kube-proxy --proxy-mode=ipvs --v=2'] },
    ]);
    expect(parts(daemonsets(flagged)).short).toContain('services kube-proxy ipvs');
  });

  test('what the node shows counts more than what the ConfigMap says', () => {
    const tables = given('nft.tables', [{ family: 'ip', name: 'kube-proxy' }], w1);
    const { gate, short } = parts(daemonsets(kubeProxy), proxyConf('iptables'), tables);
    expect(short).toContain('services kube-proxy nftables');
    expect(gate.parts[0]).toMatchObject({ node: 'w1' });
  });

  test('two modes on one node are both said', () => {
    const tables = given('nft.tables', [{ family: 'ip', name: 'kube-proxy' }], w1);
    const { short } = parts(daemonsets(kubeProxy), tables, rules('KUBE-SVC-ABC'));
    expect(short).toContain('services kube-proxy iptables and nftables');
  });

  test('a node with Service addresses on kube-ipvs0 is one of ipvs', () => {
    const address = { prefix: { address: '10.96.0.10', length: 32 }, scope: 'global', flags: [] };
    const links = given('links', [link('kube-ipvs0', { kind: 'dummy', addresses: [address] })], w1);
    expect(parts(daemonsets(kubeProxy), links).short).toContain('services kube-proxy ipvs');
  });

  test("kubelet's own chains are no kube-proxy", () => {
    expect(parts(rules('KUBE-IPTABLES-HINT')).short).toContain('services unknown');
    expect(parts(rules('KUBE-SVC-ABC', 'legacy')).short).toContain('services unknown iptables');
  });

  test('a kube-proxy DaemonSet that is meant for no node runs nothing', () => {
    const off = { ...kubeProxy, status: { desiredNumberScheduled: 0 } };
    expect(parts(daemonsets(off)).short).toContain('services unknown');
  });

  test('a kube-proxy outside of the API is known by its process', () => {
    const socket = {
      protocol: 'tcp',
      state: 'LISTEN',
      port: 10256,
      receiveQueue: 0,
      sendQueue: 128,
      processes: [{ name: 'kube-proxy', pid: 812 }],
      text: 'tcp LISTEN 0 128 *:10256',
    } as const;
    expect(parts(given('sockets', [socket], w1)).short).toContain('services kube-proxy');
  });

  test('nothing known is said as unknown, and nothing defaults', () => {
    const { gate, short } = parts();
    expect(short).toEqual(['services unknown', 'pod-network unknown', 'policy unknown']);
    expect(gate.podAddressesRoutable).toBe('unknown');
  });

  test('Cilium in place of kube-proxy', () => {
    const cilium = daemonset('kube-system', 'cilium', [
      { name: 'cilium-agent', image: 'quay.io/cilium/cilium:v1.16.5' },
    ]);
    const config = (value: string) =>
      configMap('kube-system', 'cilium-config', { 'kube-proxy-replacement': value, 'routing-mode': 'tunnel' });
    const { gate, short } = parts(daemonsets(cilium), config('true'));
    expect(short).toEqual([
      'pod-network cilium ebpf NOT-WALKED',
      'policy cilium ebpf NOT-WALKED',
      'services cilium ebpf NOT-WALKED',
    ]);
    expect(gate.podAddressesRoutable).toBe('no');
    expect(unmodelledAt(gate, w1)?.by).toBe('cilium');
    expect(parts(daemonsets(cilium, kubeProxy), config('false')).short).toContain('services kube-proxy');
    expect(parts(daemonsets(cilium)).short).toContain('services unknown ebpf NOT-WALKED');
  });

  test('Cilium is told by its device alone, where DaemonSets may not be read', () => {
    const { gate } = parts(given('links', [link('cilium_host', { kind: 'veth' })], w1));
    expect(unmodelledAt(gate, w1)?.by).toBe('cilium');
  });

  test('GKE Dataplane V2', () => {
    const anetd = daemonset('kube-system', 'anetd', [{ name: 'cilium-agent', image: 'gke.gcr.io/cilium/cilium:v1' }]);
    expect(parts(daemonsets(anetd)).short).toContain('services gke-dataplane-v2 ebpf NOT-WALKED');
  });

  test('Calico in its dataplanes', () => {
    const calico = daemonset('calico-system', 'calico-node', [{ image: 'docker.io/calico/node:v3.29.1' }]);
    expect(parts(daemonsets(calico, kubeProxy)).short).toEqual([
      'services kube-proxy',
      'pod-network calico',
      'policy calico',
    ]);
    const cali = given('links', [link('cali123456789ab', { kind: 'veth' })], w1);
    expect(parts(daemonsets(calico), cali).short).toContain('pod-network calico iptables');
    const bpf = given('links', [link('bpfin.cali', { kind: 'veth' })], w1);
    expect(parts(daemonsets(calico), bpf).short).toContain('services calico ebpf NOT-WALKED');
  });

  test('Canal is flannel with the policy of Calico', () => {
    const canal = daemonset('kube-system', 'canal', [
      { name: 'calico-node', image: 'docker.io/calico/node:v3.29.1' },
      { name: 'kube-flannel', image: 'docker.io/flannel/flannel:v0.24.4' },
    ]);
    const conf = configMap('kube-system', 'canal-config', { 'net-conf.json': '{"Backend":{"Type":"vxlan"}}' });
    expect(parts(daemonsets(canal, kubeProxy), conf).short).toEqual([
      'services kube-proxy',
      'policy calico iptables',
      'pod-network flannel vxlan',
    ]);
  });

  test.each([
    ['ovn-kubernetes', 'ovnkube-node', [{ name: 'ovnkube-controller' }], 'services ovn-kubernetes ovs NOT-WALKED'],
    [
      'kube-system',
      'antrea-agent',
      [{ name: 'antrea-agent' }, { name: 'antrea-ovs' }],
      'pod-network antrea ovs NOT-WALKED',
    ],
    ['kube-system', 'kube-ovn-cni', [{ name: 'cni-server' }], 'pod-network kube-ovn ovs NOT-WALKED'],
    ['kube-system', 'weave-net', [{ name: 'weave' }, { name: 'weave-npc' }], 'pod-network weave ovs NOT-WALKED'],
    ['kube-system', 'kindnet', [{ name: 'kindnet-cni' }], 'pod-network kindnet routes'],
    ['kube-system', 'terway-eniip', [{ name: 'terway' }], 'pod-network terway ebpf NOT-WALKED'],
    ['kube-system', 'azure-cns', [{ name: 'cns-container' }], 'pod-network azure-cni'],
  ])('%s/%s', (namespace, name, containers, expected) => {
    expect(parts(daemonsets(daemonset(namespace, name, containers))).short).toContain(expected);
  });

  test('the AWS VPC CNI is walked; with its policy agent at work it is not', () => {
    const aws = (enabled: string) =>
      daemonset('kube-system', 'aws-node', [
        { name: 'aws-node', image: '602401143452.dkr.ecr.us-west-2.amazonaws.com/amazon-k8s-cni:v1.19.0' },
        { name: 'aws-eks-nodeagent', args: [`--enable-network-policy=${enabled}`, '--metrics-bind-addr=:8162'] },
      ]);
    const { gate, short } = parts(daemonsets(aws('false'), kubeProxy));
    expect(short).toEqual(['services kube-proxy', 'pod-network aws-vpc-cni routes', 'policy unknown']);
    expect(gate.podAddressesRoutable).toBe('yes');
    expect(parts(daemonsets(aws('true'))).short).toContain('policy aws-network-policy-agent ebpf NOT-WALKED');
  });

  test('kube-router does only what its flags say', () => {
    const router = (args: string[]) =>
      daemonset('kube-system', 'kube-router', [{ image: 'cloudnativelabs/kube-router', args }]);
    const only = parts(daemonsets(router(['--run-router=false', '--run-service-proxy=false']), flannel, kubeProxy));
    expect(only.short).toContain('policy kube-router iptables');
    expect(only.short).not.toContain('pod-network kube-router bgp');
    expect(parts(daemonsets(router([]))).short).toContain('services kube-router ipvs');
  });

  test('whether anybody but the nodes knows the way to pods', () => {
    const routable = (...facts: readonly GivenFact[]) => {
      const { podAddressesRoutable, podAddressesRoutableOutside } = parts(...facts).gate;
      return [podAddressesRoutable, podAddressesRoutableOutside];
    };
    const router = (...args: string[]) =>
      daemonsets(daemonset('kube-system', 'kube-router', [{ image: 'cloudnativelabs/kube-router', args }]));
    expect(routable(router())).toEqual(['no', undefined]);
    expect(routable(router('--peer-router-ips=10.0.0.1'))).toEqual(['unknown', undefined]);
    expect(routable(router('--enable-pod-egress=false'))).toEqual(['unknown', undefined]);
    const peered = aNode('w1', '10.0.0.11', { annotations: { 'kube-router.io/peer.ips': '10.0.0.1' } });
    expect(routable(router(), given('api.nodes', [peered]))).toEqual(['unknown', undefined]);
    expect(routable(daemonsets(daemonset('kube-system', 'kindnet', [{ name: 'kindnet-cni' }])))).toEqual([
      'no',
      undefined,
    ]);
    const azure = daemonsets(daemonset('kube-system', 'azure-cns', [{ name: 'cns-container' }]));
    expect(routable(azure)).toEqual(['yes', undefined]);
    const node = aNode('w1', '10.0.0.11');
    const labels = { 'kubernetes.azure.com/podnetwork-type': 'overlay' };
    const overlay = { ...node, metadata: { ...node.metadata, labels } };
    expect(routable(azure, given('api.nodes', [overlay]))).toEqual(['yes', 'no']);
  });

  test('k3s has everything within itself', () => {
    const node = aNode('w1', '10.0.0.11', {
      version: 'v1.31.4+k3s1',
      annotations: {
        'flannel.alpha.coreos.com/backend-type': 'vxlan',
        'flannel.alpha.coreos.com/kube-subnet-manager': 'true',
        'k3s.io/node-args': '["server","--disable","traefik"]',
      },
    });
    const { gate, short } = parts(given('api.nodes', [node]), daemonsets());
    expect(short).toEqual(['services k3s', 'pod-network flannel vxlan', 'policy k3s iptables']);
    expect(gate.podAddressesRoutable).toBe('no');
    const off = {
      ...node,
      metadata: { ...node.metadata, annotations: { 'k3s.io/node-args': '["server","--disable-kube-proxy"]' } },
    };
    expect(parts(given('api.nodes', [off])).short).toContain('services unknown');
    const ipvs = {
      ...node,
      metadata: {
        ...node.metadata,
        annotations: { 'k3s.io/node-args': '["agent","--kube-proxy-arg","proxy-mode=ipvs"]' },
      },
    };
    expect(parts(given('api.nodes', [ipvs])).short).toContain('services k3s ipvs');
  });

  test('k3s without its own flannel keeps the annotations of one', () => {
    const node = aNode('w1', '10.0.0.11', {
      version: 'v1.31.4+k3s1',
      annotations: {
        'flannel.alpha.coreos.com/backend-type': 'vxlan',
        'k3s.io/node-args': '["server","--flannel-backend","none","--disable-network-policy"]',
      },
    });
    const calico = daemonset('kube-system', 'calico-node', [{ image: 'calico/node:v3.29.1' }]);
    expect(parts(given('api.nodes', [node]), daemonsets(calico)).short).toEqual([
      'services k3s',
      'pod-network calico',
      'policy calico',
    ]);
  });

  test('an enforcer of policies that is no object of the API is known by its rules', () => {
    const chains = [{ name: 'KUBE-POD-FW-JNL5PWGJVRDZILDX', rules: [] }];
    const filter = given('iptables.nft', { tables: [{ name: 'filter', chains }] }, w1, {
      args: { family: 4, table: '' },
    });
    expect(parts(filter).short).toContain('policy kube-router iptables');
  });

  test("flannel's annotations beside another CNI are left over", () => {
    const node = aNode('w1', '10.0.0.11', { annotations: { 'flannel.alpha.coreos.com/backend-type': 'vxlan' } });
    const calico = daemonset('kube-system', 'calico-node', [{ image: 'calico/node:v3.29.1' }]);
    const { short } = parts(given('api.nodes', [node]), daemonsets(calico));
    expect(short.join()).not.toContain('flannel');
  });

  test('a BPF program on a device makes its namespace unknown, and only that', () => {
    const pod = podPlace('w1', 'shop', 'web-1');
    const filter = { device: 'eth0', direction: 'egress', kind: 'bpf', name: 'mystery' } as const;
    const { gate } = parts(given('tc-filters', [filter], pod), given('links', [], w1));
    expect(unmodelledAt(gate, pod)).toMatchObject({ mode: 'ebpf', by: 'unknown', pod: 'shop/web-1' });
    expect(unmodelledAt(gate, w1)).toBeUndefined();
    const xdp = parts(given('links', [link('eth0', { xdp: 'prog/xdp id 7' })], w1)).gate;
    expect(unmodelledAt(xdp, w1)).toMatchObject({ node: 'w1', mode: 'ebpf' });
    expect(unmodelledAt(xdp, hostOf('w2'))).toBeUndefined();
    const shaping = parts(given('tc-filters', [{ ...filter, kind: 'u32' }], pod)).gate;
    expect(unmodelledAt(shaping, pod)).toBeUndefined();
  });

  test('Open vSwitch that nobody is known for', () => {
    const { short } = parts(given('links', [link('ovs-system', { kind: 'openvswitch' })], w1));
    expect(short).toContain('pod-network unknown ovs NOT-WALKED');
  });

  test('a pod on macvlan or on a real device', () => {
    const pod = podPlace('w1', 'shop', 'web-1');
    expect(unmodelledAt(parts(given('links', [link('eth0', { kind: 'macvlan' })], pod)).gate, pod)?.by).toBe('macvlan');
    expect(unmodelledAt(parts(given('links', [link('eth0', { kind: 'veth' })], pod)).gate, pod)).toBeUndefined();
  });

  test('the plug-in of the CNI configuration, where no agent is known', () => {
    const conf = (type: string) =>
      given(
        'cni-configuration',
        {
          directory: '/etc/cni/net.d',
          files: [{ name: '10-x.conflist', network: { name: 'x', plugins: [{ type, raw: {} }] } }],
        },
        w1,
      );
    expect(parts(conf('bridge')).short).toContain('pod-network bridge');
    expect(parts(conf('macvlan')).short).toContain('pod-network macvlan NOT-WALKED');
    expect(parts(conf('cilium-cni')).short).toContain('pod-network cilium ebpf NOT-WALKED');
  });
});

describe('parts of single pods', () => {
  const mesh = (more: Parameters<typeof aPod>[3]) =>
    parts(given('api.pods', [aPod('shop', 'web-1', '10.1.0.1', more)]));
  const app = { name: 'app', image: 'app:1' };

  test.each([
    ['istio-sidecar', { annotations: { 'sidecar.istio.io/status': '{"initContainers":["istio-init"]}' } }],
    ['istio-sidecar', { containers: [app, { name: 'istio-proxy', image: 'docker.io/istio/proxyv2:1.24.1' }] }],
    ['istio-sidecar', { containers: [app], initContainers: [{ name: 'istio-proxy', image: 'istio/proxyv2:1.27' }] }],
    ['istio-ambient', { annotations: { 'ambient.istio.io/redirection': 'enabled' } }],
    ['linkerd', { containers: [app, { name: 'linkerd-proxy', image: 'cr.l5d.io/linkerd/proxy' }] }],
    ['kuma', { annotations: { 'kuma.io/sidecar-injected': 'true' } }],
    ['consul-connect', { annotations: { 'consul.hashicorp.com/connect-inject-status': 'injected' } }],
  ] as const)('%s %o', (by, more) => {
    const { gate } = mesh(more);
    expect(gate.parts).toContainEqual(
      expect.objectContaining({ role: 'mesh', by, pod: 'shop/web-1', modelled: false }),
    );
    expect(unmodelledAt(gate, podPlace('w1', 'shop', 'web-1'))?.by).toBe(by);
    expect(unmodelledAt(gate, podPlace('w1', 'shop', 'other'))).toBeUndefined();
    expect(unmodelledAt(gate, w1)).toBeUndefined();
  });

  test('a gateway is a proxy and takes nothing over; a pod without a mesh has no part', () => {
    const gateway = { containers: [{ name: 'istio-proxy', image: 'istio/proxyv2:1.24.1' }] };
    expect(mesh(gateway).short.join()).not.toContain('mesh');
    expect(mesh({ containers: [app, { name: 'log', image: '' }] }).short.join()).not.toContain('mesh');
    expect(mesh({ annotations: { 'ambient.istio.io/redirection': 'disabled' } }).short.join()).not.toContain('mesh');
  });

  test.each([
    ['gvisor', 'runtime gvisor gvisor NOT-WALKED'],
    ['kata-qemu', 'runtime kata kata-qemu NOT-WALKED'],
    ['fast', 'runtime unknown fast NOT-WALKED'],
  ])('RuntimeClass %s', (runtimeClassName, expected) => {
    expect(mesh({ runtimeClassName }).short).toContain(expected);
  });

  test('a RuntimeClass that shares the kernel is ordinary', () => {
    expect(mesh({ runtimeClassName: 'nvidia' }).short.join()).not.toContain('runtime');
  });

  test('the pods asked for bound the list', () => {
    const pods = ['a', 'b'].map((name) => aPod('shop', name, '10.1.0.1', { runtimeClassName: 'gvisor' }));
    const gate = datapathGate(snapshotOf([given('api.pods', pods)]), new Set(['shop/b']));
    expect(gate.parts.filter((one) => one.role === 'runtime').map((one) => one.pod)).toEqual(['shop/b']);
  });
});

test('gateRequests asks for the ConfigMaps of the namespaces where network agents run', () => {
  const snapshot = snapshotOf([daemonsets(kubeProxy, flannel, daemonset('monitoring', 'node-exporter', [{}]))]);
  expect(gateRequests(snapshot).map((one) => one.args.namespace)).toEqual(['kube-system', 'kube-flannel']);
});
