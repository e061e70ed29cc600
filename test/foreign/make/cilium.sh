# cilium.sh FIXTURE: Cilium's iptables part (pkg/datapath/iptables/iptables.go, InstallRules and installStaticProxyRules): IPv4,
# tunnel mode beside kube-proxy, masquerading, IPsec, and the DNS proxy's TPROXY rules as an agent adds them. What its BPF
# programs do is no part of it; pods are routed so that packets meet these rules.
fixture=$1
node
ip link add cilium_host type veth peer name cilium_net
ip addr add 10.244.0.1/32 dev cilium_host
ip link set cilium_host up
ip link set cilium_net up
routed web lxcweb 10.244.0.10
routed client lxcclient 10.244.0.4
quiet
chain() { # chain TABLE CHAIN HOOK
  iptables -t "$1" -N "$2"
  iptables -t "$1" -I "$3" 1 -m comment --comment "cilium-feeder: $2" -j "$2"
}
chain filter CILIUM_INPUT INPUT
chain filter CILIUM_OUTPUT OUTPUT
chain raw CILIUM_OUTPUT_raw OUTPUT
chain nat CILIUM_POST_nat POSTROUTING
chain nat CILIUM_OUTPUT_nat OUTPUT
chain nat CILIUM_PRE_nat PREROUTING
chain mangle CILIUM_POST_mangle POSTROUTING
chain mangle CILIUM_PRE_mangle PREROUTING
chain raw CILIUM_PRE_raw PREROUTING
chain filter CILIUM_FORWARD FORWARD
rule() { # rule TABLE CHAIN COMMENT …
  table=$1 to=$2 comment=$3
  shift 3
  iptables -t "$table" -A "$to" -m comment --comment "$comment" "$@"
}
rule raw CILIUM_PRE_raw "cilium: NOTRACK for proxy traffic" -m mark --mark 0x00000200/0x00000f00 -j NOTRACK
rule filter CILIUM_INPUT "cilium: ACCEPT for proxy traffic" -m mark --mark 0x00000200/0x00000f00 -j ACCEPT
rule raw CILIUM_OUTPUT_raw "cilium: NOTRACK for proxy return traffic" -m mark --mark 0x00000a00/0xfffffeff -j NOTRACK
rule filter CILIUM_OUTPUT "cilium: ACCEPT for proxy return traffic" -m mark --mark 0x00000a00/0xfffffeff -j ACCEPT
rule mangle CILIUM_PRE_mangle "cilium: any->pod redirect proxied traffic to host proxy" -m socket --transparent --nowildcard -j MARK --set-mark 0x00000200
for chain in "filter CILIUM_INPUT" "filter CILIUM_OUTPUT" "filter CILIUM_FORWARD" "nat CILIUM_POST_nat" "nat CILIUM_PRE_nat" "nat CILIUM_OUTPUT_nat"; do
  for mark in 0x00000d00/0x00000f00 0x00000e00/0x00000f00; do
    rule $chain "exclude xfrm marks from $chain chain" -m mark --mark $mark -j ACCEPT
  done
done
rule filter CILIUM_FORWARD "cilium: any->cluster on cilium_host forward accept" -o cilium_host -j ACCEPT
rule filter CILIUM_FORWARD "cilium: cluster->any on cilium_host forward accept (nodeport)" -i cilium_host -j ACCEPT
rule filter CILIUM_FORWARD "cilium: cluster->any on lxc+ forward accept" -i lxc+ -j ACCEPT
rule filter CILIUM_OUTPUT "cilium: host->any mark as from host" -m mark ! --mark 0x00000e00/0x00000f00 -m mark ! --mark 0x00000d00/0x00000f00 \
  -m mark ! --mark 0x00000a00/0x00000e00 -j MARK --set-xmark 0x00000c00/0x00000f00
rule nat CILIUM_POST_nat "cilium masquerade non-cluster" -s 10.244.0.0/24 ! -d 10.244.0.0/24 ! -o cilium_+ -j MASQUERADE
rule nat CILIUM_POST_nat "exclude non-cilium_host traffic from masquerade" ! -o cilium_host -j RETURN
rule nat CILIUM_POST_nat "exclude proxy return traffic from masquarade" -m mark --mark 0x00000a00/0x00000e00 -j ACCEPT
rule nat CILIUM_POST_nat "cilium host->cluster masquerade" ! -s 10.244.0.1 ! -d 10.244.0.0/24 -o cilium_host -j SNAT --to-source 10.244.0.1
rule nat CILIUM_POST_nat "cilium host->cluster from 127.0.0.1 masquerade" -s 127.0.0.1 -o cilium_host -j SNAT --to-source 10.244.0.1
for mark in 0x00000e00/0x00000f00 0x00000d00/0x00000f00; do
  iptables -t raw -I CILIUM_PRE_raw -m mark --mark $mark -m comment --comment "cilium-xfrm-notrack:" -j NOTRACK
done
for protocol in tcp udp; do
  rule mangle CILIUM_PRE_mangle "cilium: TPROXY to host cilium-dns-egress proxy" -p $protocol -m mark --mark 0xd5a90200 \
    -j TPROXY --tproxy-mark 0x200 --on-ip 127.0.0.1 --on-port 43477
done
finish "$fixture" "${PROBES:-}"
