# kube-proxy.sh MODE VARIANT FIXTURE [YAML LINE …]: the real kube-proxy on objects of kube-objects.ts.
mode=$1 variant=$2 fixture=$3
shift 3
node; pods
kubeconfig
fake_api "$MAKE/kube-objects.ts" "$variant"
cat > "$SCRATCH/config" <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: $mode
hostnameOverride: w1
clientConnection: {kubeconfig: $SCRATCH/kubeconfig, contentType: application/json, acceptContentTypes: application/json}
bindAddress: 0.0.0.0
healthzBindAddress: 127.0.0.1:10256
metricsBindAddress: 127.0.0.1:10249
oomScoreAdj: null
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
END
for line in "$@"; do echo "$line" >> "$SCRATCH/config"; done
"$PROGRAMS/kube-proxy" --config "$SCRATCH/config" > "$SCRATCH/log" 2>&1 &
PROXY=$!
rules() { if [ "$mode" = nftables ]; then nft list ruleset; else iptables-save; ip6tables-save; fi; }
for _ in $(seq 100); do rules | grep -q 'demo/cluster' && break; sleep 0.2; done
rules | grep -q 'demo/cluster' || { tail -30 "$SCRATCH/log"; tail "$SCRATCH/api.log"; exit 1; }
stable rules
stop "$API" "$PROXY"
finish "$fixture" "${PROBES:-}"
