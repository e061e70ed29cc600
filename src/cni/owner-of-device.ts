import { formatPrefix, type Prefix } from '../net/prefix.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Route } from '../parse/ip-route.ts';
import type { Owner } from './owner-names.ts';

function cluster(by: string, purpose: string): Owner {
  return { by, purpose, ofCluster: true };
}

function node(by: string, purpose: string): Owner {
  return { by, purpose, ofCluster: false };
}

type DeviceOwner = readonly [name: RegExp, kinds: readonly string[], owner: Owner];

/** By name and kind together: anybody can call a bridge cni0, but nobody calls a NIC so. No kinds: any. */
const DEVICES: readonly DeviceOwner[] = [
  [/^flannel(-v6)?\.\d+$/, ['vxlan'], cluster('flannel', 'carries pod traffic to other nodes')],
  [/^flannel-wg(-v6)?$/, ['wireguard'], cluster('flannel', 'carries pod traffic to other nodes')],
  [/^flannel\.ipip$/, ['ipip'], cluster('flannel', 'carries pod traffic to other nodes')],
  [/^flannel\d+$/, ['tun'], cluster('flannel', 'carries pod traffic to other nodes')],
  [/^cni0$/, ['bridge'], cluster('cni-bridge', 'joins the pods of the node')],
  [/^kube-bridge$/, ['bridge'], cluster('kube-router', 'joins the pods of the node')],
  [/^tun-[0-9a-f.:]+/, ['ipip', 'ip6tnl', 'fou'], cluster('kube-router', 'carries pod traffic to other subnets')],
  [/^kube-dummy-if$/, ['dummy'], cluster('kube-router', 'holds Service addresses')],
  [/^kube-ipvs0$/, ['dummy'], cluster('kube-proxy', 'holds Service addresses')],
  [/^cali[0-9a-f]{11}$/, ['veth'], cluster('calico', 'leads to a pod')],
  [
    /^(bpf(in|out)\.cali|bpfnat(in|out)|vxlan(-v6)?\.calico|wireguard\.cali|wg-v6\.cali)$/,
    [],
    cluster('calico', 'belongs to its datapath'),
  ],
  [/^tunl0$/, ['ipip'], cluster('calico', 'carries pod traffic to other nodes')],
  [/^cilium_/, [], cluster('cilium', 'belongs to its datapath')],
  [/^lxc/, ['veth', 'netkit'], cluster('cilium', 'leads to a pod')],
  [/^eni[0-9a-f]{11}$/, ['veth'], cluster('aws-vpc-cni', 'leads to a pod')],
  [/^(azv[0-9a-f]+)$/, ['veth'], cluster('azure-cni', 'leads to a pod')],
  [/^azure\d+$/, ['bridge'], cluster('azure-cni', 'joins the pods of the node')],
  [/^gke[0-9a-f]{11}$/, ['veth'], cluster('gke', 'leads to a pod')],
  [/^(antrea-gw0|antrea-tun0)$/, [], cluster('antrea', 'belongs to its datapath')],
  [/^(ovn-k8s-mp\d+)$/, [], cluster('ovn-kubernetes', 'belongs to its datapath')],
  [/^ovn0$/, [], cluster('kube-ovn', 'belongs to its datapath')],
  [/^weave$/, [], cluster('weave', 'joins the pods of the node')],
  [/^nodelocaldns$/, ['dummy'], cluster('node-local-dns', 'holds the address of the node-local cache')],
  [/^docker0$|^br-[0-9a-f]{12}$/, ['bridge'], node('docker', 'joins Docker’s containers')],
  [/^(podman\d+|cni-podman\d+)$/, ['bridge'], node('podman', 'joins Podman’s containers')],
  [/^virbr\d+$/, ['bridge'], node('libvirt', 'joins virtual machines')],
  [/^lxdbr\d+$|^incusbr\d+$/, ['bridge'], node('lxd', 'joins its containers')],
  [/^tailscale\d+$/, [], node('tailscale', 'leads traffic of its network')],
];

/** Whose device this is; undefined for the node's own interfaces and for what nobody is known for. */
export function ownerOfDevice(
  link: Pick<Link, 'name' | 'kind' | 'master'>,
  links: readonly Link[] = [],
): Owner | undefined {
  const known = DEVICES.find(
    ([name, kinds]) => name.test(link.name) && (kinds.length === 0 || kinds.includes(link.kind ?? '')),
  );
  if (known) return known[2];
  // A veth is whoever's whose bridge it is a port of.
  const master =
    link.kind === 'veth' && link.master !== undefined ? links.find((one) => one.name === link.master) : undefined;
  const owner = master ? ownerOfDevice(master) : undefined;
  return owner && { ...owner, purpose: 'leads to a pod or container' };
}

export interface ExpectedRoute {
  readonly destination: Prefix;
  readonly by: string;
}

/**
 * Who made this route: the kernel, a routing daemon by its protocol, whoever's device it leaves by, or the CNI where it is
 * one that the CNI means to have (host-gw's routes look like anybody's). Undefined: the node's own configuration or a hand.
 */
export function ownerOfRoute(
  route: Route,
  links: readonly Link[] = [],
  expected: readonly ExpectedRoute[] = [],
): Owner | undefined {
  if (route.protocol === 'kernel' || route.protocol === '2') return node('kernel', 'follows from an address');
  if (route.protocol === 'bird' || route.protocol === '12') return cluster('bird', 'learnt by BGP');
  const meant = expected.find((one) => formatPrefix(one.destination) === formatPrefix(route.destination));
  if (meant) return cluster(meant.by, 'leads to the pods of another node');
  const device = links.find((one) => one.name === route.nextHops[0]?.device);
  const owner = device && ownerOfDevice(device, links);
  return owner && { ...owner, purpose: `leads over ${device.name}` };
}
