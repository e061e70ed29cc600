# kube-router.sh FIXTURE: the real kube-router, its policies and its pod network (its Services need ipvs;
# with --enable-ipv6 this version's ip6tables-restore names sets that it made under other names, and it writes no rules).
fixture=$1
BRIDGE=kube-bridge
node; pods
kubeconfig
fake_api "$MAKE/policy-objects.ts"
mkdir -p /etc/cni/net.d
cat > /etc/cni/net.d/10-kuberouter.conflist <<END
{"cniVersion": "0.3.0", "name": "mynet", "plugins": [{"name": "kubernetes", "type": "bridge", "bridge": "kube-bridge",
 "isDefaultGateway": true, "hairpinMode": true, "ipam": {"type": "host-local"}}]}
END
KUBE_ROUTER_CNI_CONF_FILE=/etc/cni/net.d/10-kuberouter.conflist NODE_NAME=w1 POD_NAME=kube-router "$PROGRAMS/kube-router" \
  --kubeconfig "$SCRATCH/kubeconfig" --hostname-override w1 --run-router=true --run-firewall=true --run-service-proxy=false \
  --service-cluster-ip-range=10.96.0.0/16 --service-external-ip-range=192.0.2.0/24 \
  --router-id=10.80.0.11 --enable-ibgp=false --health-port=0 > "$SCRATCH/log" 2>&1 &
ROUTER=$!
rules() { iptables-save; ip6tables-save; ipset save; }
for _ in $(seq 150); do [ "$(rules | grep -c "^:KUBE-POD-FW")" = 2 ] && break; sleep 0.2; done
rules | grep -q "^:KUBE-POD-FW" || { tail -30 "$SCRATCH/log"; tail "$SCRATCH/api.log"; exit 1; }
stable rules
[ -z "${LOG:-}" ] || cp "$SCRATCH/log" "$LOG"
stop "$API" "$ROUTER"
finish "$fixture" "${PROBES:-}"
