# istio-ambient.sh FIXTURE: what Istio's CNI does in a pod of an ambient mesh; here "w1" is the pod. The rules are the golden
# file of its own test (cni/pkg/iptables/testdata/default.golden of the module istio.io/istio), for iptables-restore; the
# routing rule and route are those of AddInpodMarkIPRule and AddLoopbackRoutes.
fixture=$1
node
for name in $(ip netns list | cut -d" " -f1); do sink "$name"; done
resolve 10.80.0.1
module=$(go env GOMODCACHE)/istio.io/istio@v0.0.0-20260827124520-eed52ebb66ad
grep -v -e '^ip' "$module/cni/pkg/iptables/testdata/default.golden" | sed 's/^\* /*/' > "$SCRATCH/rules"
iptables-restore --noflush "$SCRATCH/rules"
ip rule add fwmark 0x111/0xfff lookup 100 priority 32764
ip route add local 0.0.0.0/0 dev lo table 100
finish "$fixture" "${PROBES:-}"
