# aws-vpc-cni.sh FIXTURE: the rules of amazon-vpc-cni-k8s (pkg/networkutils/network.go, buildIptablesSNATRules and
# buildIptablesConnmarkRules, SetupHostNetwork's and SetupPodNetwork's routing rules), its defaults: SNAT prng, NodePorts
# supported, the primary device eth0, a pod of a second device (its table 2), VPC 10.80.0.0/16 and 10.244.0.0/16.
fixture=$1
node
routed web eniweb 10.244.0.10
routed client eniclient 10.244.0.4
quiet
echo 2 > /proc/sys/net/ipv4/conf/eth0/rp_filter
ip rule add fwmark 0x80/0x80 lookup main priority 1024
for pod in 10.244.0.10 10.244.0.4; do ip rule add to "$pod" lookup main priority 512; done
ip route add default via 10.80.0.1 dev eth0 table 2
ip rule add from 10.244.0.4 lookup 2 priority 1536
nat() { iptables -t nat "$@"; }
nat -N AWS-SNAT-CHAIN-0
nat -N AWS-CONNMARK-CHAIN-0
nat -A POSTROUTING -m comment --comment "AWS SNAT CHAIN" -j AWS-SNAT-CHAIN-0
for block in 10.80.0.0/16 10.244.0.0/16; do
  nat -I AWS-SNAT-CHAIN-0 1 -d "$block" -m comment --comment "AWS SNAT CHAIN" -j RETURN
done
nat -I AWS-SNAT-CHAIN-0 1 -d 198.51.100.0/24 -m comment --comment "AWS SNAT CHAIN EXCLUSION" -j RETURN
nat -A AWS-SNAT-CHAIN-0 ! -o vlan+ -m comment --comment "AWS, SNAT" -m addrtype ! --dst-type LOCAL -j SNAT --to-source 10.80.0.11 --random-fully
mangle() { iptables -t mangle -A PREROUTING -m comment --comment "AWS, primary ENI" "$@"; }
mangle -i eth0 -m addrtype --dst-type LOCAL --limit-iface-in -j CONNMARK --set-mark 0x80/0x80
mangle -i eni+ -j CONNMARK --restore-mark --mask 0x80
mangle -i vlan+ -j CONNMARK --restore-mark --mask 0x80
nat -A PREROUTING -i eni+ -m comment --comment "AWS, outbound connections" -j AWS-CONNMARK-CHAIN-0
for block in 10.80.0.0/16 10.244.0.0/16 198.51.100.0/24; do
  nat -I AWS-CONNMARK-CHAIN-0 1 -d "$block" -m comment --comment "AWS CONNMARK CHAIN, VPC CIDR" -j RETURN
done
nat -A PREROUTING -m comment --comment "AWS, CONNMARK" -j CONNMARK --restore-mark --mask 0x80
nat -A AWS-CONNMARK-CHAIN-0 -m comment --comment "AWS, CONNMARK" -j CONNMARK --set-xmark 0x80/0x80
finish "$fixture" "${PROBES:-}"
