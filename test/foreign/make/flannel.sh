# flannel.sh BACKEND NFTABLES FIXTURE: the real flanneld, with masquerading and forward rules, of both families.
backend=$1 nftables=$2 fixture=$3
node; pods
kubeconfig
fake_api "$MAKE/kube-objects.ts" some
mkdir -p /etc/kube-flannel /run/flannel
cat > /etc/kube-flannel/net-conf.json <<END
{"Network": "10.244.0.0/16", "EnableIPv6": true, "IPv6Network": "fd44::/56", "EnableNFTables": $nftables,
 "Backend": {"Type": "$backend"}}
END
NODE_NAME=w1 POD_NAME=flannel POD_NAMESPACE=kube-flannel "$PROGRAMS/flanneld" --kube-subnet-mgr --ip-masq --iface=eth0 \
  --kubeconfig-file "$SCRATCH/kubeconfig" --iptables-resync=60 > "$SCRATCH/log" 2>&1 &
FLANNELD=$!
rules() { iptables-save; ip6tables-save; nft list ruleset | grep -v '^#'; }
for _ in $(seq 100); do rules | grep -q -i flannel && break; sleep 0.2; done
rules | grep -q -i flannel || { tail -30 "$SCRATCH/log"; tail "$SCRATCH/api.log"; exit 1; }
stable rules
stop "$API" "$FLANNELD"
finish "$fixture" "${PROBES:-}"
