# istio.sh FIXTURE OPTION…: what Istio's init container does in a pod's namespace; here "w1" is the pod.
fixture=$1
shift
node
for name in $(ip netns list | cut -d" " -f1); do sink "$name"; done
resolve 10.80.0.1 fd80::1
"$PROGRAMS/istio-iptables" -p 15001 -z 15006 -u 1337 -g 1337 -i '*' -x '' -b '*' -d 15090,15021,15020 "$@" > "$SCRATCH/log" 2>&1 \
  || { tail -20 "$SCRATCH/log"; exit 1; }
finish "$fixture" "${PROBES:-}"
