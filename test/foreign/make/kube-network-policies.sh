# kube-network-policies.sh FIXTURE: the real kube-network-policies (sig-network; kindnet's policies are of the same code): what
# its nftables rules hand to it, it decides in user space. Linux here has no `queue` for nftables: the program was built with
# `log prefix "QUEUE"` where it has its queue statements, and these are put back into what was recorded.
fixture=$1
node; pods
account=/var/run/secrets/kubernetes.io/serviceaccount
mkdir -p "$account"
openssl req -x509 -newkey rsa:2048 -nodes -keyout "$SCRATCH/tls.key" -out "$SCRATCH/tls.crt" -days 2 -subj /CN=api \
  -addext subjectAltName=IP:127.0.0.1 2> /dev/null
cp "$SCRATCH/tls.crt" "$account/ca.crt"
echo token > "$account/token"
TLS=$SCRATCH/tls fake_api "$MAKE/policy-objects.ts"
KUBERNETES_SERVICE_HOST=127.0.0.1 KUBERNETES_SERVICE_PORT=8001 "$PROGRAMS/kube-network-policies" --disable-nri --hostname-override=w1 --metrics-bind-address=127.0.0.1:9080 > "$SCRATCH/log" 2>&1 &
AGENT=$!
for _ in $(seq 100); do nft list tables | grep -q network-policies && break; sleep 0.2; done
nft list tables | grep -q network-policies || { tail -20 "$SCRATCH/log"; tail -5 "$SCRATCH/api.log"; exit 1; }
stable nft list ruleset
capture "$fixture"
queues "$OUT/$fixture"/nft-table-*.json
stop "$API"; kill -9 "$AGENT"
