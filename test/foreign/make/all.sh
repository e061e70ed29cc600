#!/bin/bash
# Makes every fixture anew: all.sh [MAKER …]. Needs root, the Debian packages and the programs that README.md names.
set -u
cd "$(dirname "$0")"
wanted=" $* "
make() { # make MAKER BACKEND ARGUMENT…
  [ "$wanted" = "  " ] || [ "${wanted/ $1 /}" != "$wanted" ] || return 0
  timeout 180 ./run.sh "$@" || echo "failed: $*" >&2
}

cluster_cidr=('detectLocalMode: ClusterCIDR' 'clusterCIDR: "10.244.0.0/16,fd44::/56"')
prefix=('detectLocalMode: InterfaceNamePrefix' 'detectLocal: {interfaceNamePrefix: veth-}')
bridge=('detectLocalMode: BridgeInterface' 'detectLocal: {bridgeInterface: cni0}')
export PROBES=kube-proxy.probes.json
make kube-proxy nft iptables all kube-proxy/iptables-nft "${cluster_cidr[@]}"
make kube-proxy legacy iptables some-4 kube-proxy/iptables-legacy-bridge "${bridge[@]}" \
  'iptables: {masqueradeAll: true, localhostNodePorts: false}' 'nodePortAddresses: ["10.80.0.0/24"]'
make kube-proxy legacy iptables some-4 kube-proxy/iptables-legacy-prefix "${prefix[@]}"
make kube-proxy nft nftables all-4 kube-proxy/nftables "${cluster_cidr[@]}"
make kube-proxy nft nftables some kube-proxy/nftables-prefix "${prefix[@]}" 'nodePortAddresses: ["primary"]'
make kube-proxy nft nftables some-4 kube-proxy/nftables-masquerade-all "${bridge[@]}" 'nftables: {masqueradeAll: true}' \
  'nodePortAddresses: ["10.80.0.0/24"]'
unset PROBES

export PROBES=flannel.probes.json
make flannel nft vxlan false flannel/iptables-nft
make flannel legacy host-gw false flannel/iptables-legacy
make flannel nft vxlan true flannel/nftables
unset PROBES

export PROBES=policy.probes.json
make kube-router nft kube-router/iptables-nft
make kube-router legacy kube-router/iptables-legacy
unset PROBES

export PROBES=firewalld.probes.json
make firewalld nft nftables firewalld/nftables
make firewalld legacy iptables firewalld/iptables-legacy
unset PROBES

PROBES=ufw.probes.json make ufw nft ufw/iptables-nft
PROBES=ufw.probes.json make ufw legacy ufw/iptables-legacy
PROBES=fail2ban.probes.json make fail2ban nft fail2ban/iptables-nft

PROBES=cni-plugins.probes.json make cni-plugins nft /usr/lib/cni iptables cni-plugins/iptables-nft
PROBES=cni-plugins.probes.json make cni-plugins legacy /usr/lib/cni iptables cni-plugins/iptables-legacy
PROBES=cni-plugins.probes.json make cni-plugins nft "${PROGRAMS:-}/cni-1.9" nftables cni-plugins/nftables
PROBES=netavark.probes.json make netavark nft netavark/iptables-nft
PROBES=docker.probes.json make docker nft docker/iptables-nft
PROBES=docker.probes.json make docker legacy docker/iptables-legacy

PROBES=istio.probes.json make istio nft istio/redirect-nft -m REDIRECT --redirect-dns --dual-stack --drop-invalid
PROBES=istio.probes.json make istio legacy istio/redirect-legacy -m REDIRECT --redirect-dns --dual-stack
PROBES=istio.probes.json make istio nft istio/tproxy-nft -m TPROXY
PROBES=istio.probes.json make istio nft istio/nftables -m REDIRECT --redirect-dns --dual-stack --native-nftables

PROBES=calico.probes.json make calico nft nft calico/iptables-nft
PROBES=calico.probes.json make calico legacy legacy calico/iptables-legacy

make kube-network-policies nft kube-network-policies/nftables

PROBES=kindnet.probes.json make kindnet nft kindnet/nftables
PROBES=linkerd.probes.json make linkerd nft linkerd/iptables-nft
PROBES=linkerd.probes.json make linkerd legacy linkerd/iptables-legacy
PROBES=aws-vpc-cni.probes.json make aws-vpc-cni nft aws-vpc-cni/iptables-nft
PROBES=aws-vpc-cni.probes.json make aws-vpc-cni legacy aws-vpc-cni/iptables-legacy
PROBES=cilium.probes.json make cilium nft cilium/iptables-nft
PROBES=cilium.probes.json make cilium legacy cilium/iptables-legacy

PROBES=istio-ambient.probes.json make istio-ambient nft istio/ambient-nft
PROBES=istio-ambient.probes.json make istio-ambient legacy istio/ambient-legacy
make bandwidth nft cni-plugins/bandwidth

PROBES=shorewall.probes.json make shorewall nft shorewall/iptables-nft
PROBES=shorewall.probes.json make shorewall legacy shorewall/iptables-legacy

PROBES=docker-nftables.probes.json make docker-nftables nft docker/nftables
