# Sourced by the makers, inside namespaces of their own (`scene BACKEND script …` of run.sh): one node "w1" as a network
# namespace with an uplink, a bridge with two pods, and a host outside. Nothing of it outlives the process.
#
#   outside 10.80.0.1 ── eth0 10.80.0.11 [w1] cni0 10.244.0.1 ── web 10.244.0.10, client 10.244.0.4
#   fd80::1              fd80::11              fd44::1            fd44::10, fd44::4
set -eu

# The backend that `iptables` means, by the same links that Debian's update-alternatives sets.
use_backend() {
  for name in iptables iptables-save iptables-restore ip6tables ip6tables-save ip6tables-restore; do
    ln -sf "/usr/sbin/${name/tables/tables-$1}" "/etc/alternatives/$name"
  done
}

# /etc, /run and /var are this mount namespace's own: programs write into them as they like.
own_files() {
  mount --make-rprivate /
  for folder in /etc /run /var /usr/lib /opt; do
    [ -d "$folder" ] || continue
    work=$SCRATCH/overlay$(echo "$folder" | tr / -)
    mkdir -p "$work/upper" "$work/work"
    mount -t overlay overlay -o "lowerdir=$folder,upperdir=$work/upper,workdir=$work/work" "$folder"
  done
  mount -t tmpfs tmpfs /run/netns 2>/dev/null || { mkdir -p /run/netns; mount -t tmpfs tmpfs /run/netns; }
}

settings() {
  for key in ipv4/ip_forward=1 ipv6/conf/all/forwarding=1 ipv4/conf/all/rp_filter=0 ipv4/conf/default/rp_filter=0 \
    ipv6/conf/default/accept_dad=0 ipv6/conf/all/accept_dad=0 ipv4/icmp_ratelimit=0 \
    ipv4/icmp_echo_ignore_all=1 ipv6/icmp/echo_ignore_all=1; do
    echo "${key#*=}" > "/proc/sys/net/${key%%=*}" || true
  done
}

# peer NAME DEVICE HERE: a namespace NAME whose eth0 ends here as DEVICE.
peer() {
  ip netns add "$1"
  ip -n "$1" link set lo up
  ip link add "$2" type veth peer name eth0 netns "$1"
  ip netns exec "$1" sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0 || true
  ip -n "$1" link set eth0 up
  ip link set "$2" up
}

pod() { # pod NAME DEVICE FOUR SIX
  peer "$1" "$2"
  ip link set "$2" master "${BRIDGE:-cni0}"
  ip -n "$1" addr add "$3/24" dev eth0
  ip -n "$1" addr add "$4/64" dev eth0 nodad
  ip -n "$1" route add default via 10.244.0.1
  ip -n "$1" route add default via fd44::1
}

node() {
  settings
  ip link set lo up
  peer outside eth0
  ip addr add 10.80.0.11/24 dev eth0
  ip addr add fd80::11/64 dev eth0 nodad
  ip -n outside addr add 10.80.0.1/24 dev eth0
  ip -n outside addr add fd80::1/64 dev eth0 nodad
  for more in 203.0.113.7 10.80.0.66 10.80.0.9; do ip -n outside addr add "$more/32" dev eth0; done
  ip -n outside route add default via 10.80.0.11
  ip -n outside route add default via fd80::11
  ip route add default via 10.80.0.1
  ip -6 route add default via fd80::1
  ip route add 10.244.1.0/24 via 10.80.0.1
  ip -6 route add fd44:0:0:1::/64 via fd80::1
}

pods() {
  bridge=${BRIDGE:-cni0}
  ip link show "$bridge" > /dev/null 2>&1 || ip link add "$bridge" type bridge
  ip addr add 10.244.0.1/24 dev "$bridge"
  ip addr add fd44::1/64 dev "$bridge" nodad
  ip link set "$bridge" up
  pod web veth-web 10.244.0.10 fd44::10
  pod client veth-client 10.244.0.4 fd44::4
  quiet
}

# routed NAME DEVICE ADDRESS: a pod without a bridge, with a route to it and the gateway 169.254.1.1 by proxy ARP.
routed() {
  peer "$1" "$2"
  ip -n "$1" addr add "$3/32" dev eth0
  ip -n "$1" route add 169.254.1.1 dev eth0 scope link
  ip -n "$1" route add default via 169.254.1.1
  echo 1 > "/proc/sys/net/ipv4/conf/$2/proxy_arp"
  ip route add "$3" dev "$2" scope link
}

# queues FOLDER…: Linux here has no `queue` for nftables; where a program would have it, `log prefix "QUEUE"` was written.
queues() {
  sed -i -E 's/\{"log": \{"prefix": "(DNS)?QUEUE bypass"\}\}/{"queue": {"num": 100, "flags": "bypass"}}/g;
    s/\{"log": \{"prefix": "QUEUE"\}\}/{"queue": {"num": 100}}/g' "$@"
}

capture() { # capture FOLDER [PROBES]: what our own collectors read of this namespace
  "$NODE" "$MAKE/capture.ts" --pid $$ --out "$OUT/$1" ${2:+--probes "$MAKE/$2"}
}

# fake_api: the objects that kube-objects.ts writes down, served on 127.0.0.1:8001
fake_api() {
  "$NODE" "$MAKE/api-server.ts" "$@" > "$SCRATCH/api.log" 2>&1 &
  API=$!
  sleep 0.3
  for _ in $(seq 100); do grep -q listening "$SCRATCH/api.log" && return; sleep 0.1; done
  cat "$SCRATCH/api.log"; exit 1
}

kubeconfig() {
  cat > "$SCRATCH/kubeconfig" <<END
apiVersion: v1
kind: Config
clusters: [{name: lab, cluster: {server: "http://127.0.0.1:8001"}}]
users: [{name: lab, user: {}}]
contexts: [{name: lab, context: {cluster: lab, user: lab}}]
current-context: lab
END
}

# stable COMMAND…: waits until its output has stayed the same for two seconds
stable() {
  before= same=0
  for _ in $(seq 60); do
    now=$("$@" 2> /dev/null | grep -v '^#' | sed 's/\[[0-9:]*\]//' | md5sum)
    [ "$now" = "$before" ] && same=$((same + 1)) || same=0
    [ $same -ge 4 ] && return
    before=$now
    sleep 0.5
  done
  echo "never stable: $*" >&2
  exit 1
}

# Neighbours are known, and from then on the other namespaces take what arrives and say nothing.
quiet() {
  for from in $(ip netns list | cut -d" " -f1); do
    for to in 10.80.0.1 10.244.0.10 10.244.0.4 fd80::1 fd44::10 fd44::4; do
      ip netns exec "$from" ping -c1 -W1 "$to" > /dev/null 2>&1 &
      pings="${pings:-} $!"
    done
  done
  for to in 10.80.0.1 10.244.0.10 10.244.0.4 fd80::1 fd44::10 fd44::4; do ping -c1 -W1 "$to" > /dev/null 2>&1 & pings="$pings $!"; done
  for ping in $pings; do wait "$ping" || true; done
  keep_neighbours
  for name in $(ip netns list | cut -d" " -f1); do
    keep_neighbours -n "$name"
    sink "$name"
  done
}

# resolve ADDRESS…: this node knows them as neighbours, for good.
resolve() {
  for address in "$@"; do ping -c1 -W1 "$address" > /dev/null 2>&1 || true; done
  keep_neighbours
}

keep_neighbours() { # keep_neighbours [-n NAMESPACE]
  ip "$@" neigh show nud reachable nud stale nud delay nud probe > "$SCRATCH/neighbours"
  while read -r address _ device _ mac _; do
    ip "$@" neigh replace "$address" dev "$device" lladdr "$mac" nud permanent
  done < "$SCRATCH/neighbours"
}

# sink NAME: a namespace that answers nothing but who has an address.
sink() {
  ip netns exec "$1" nft -f - <<END
table inet quiet {
  chain in {
    type filter hook prerouting priority -400; policy drop;
    icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-solicit, nd-router-advert } accept
  }
}
END
}

# finish FOLDER [PROBES]: the state as a fixture; then, if asked for, real packets through it.
finish() {
  capture "$1" "${2:-}"
  [ -n "${2:-}" ] || return 0
  "$NODE" "$MAKE/probe.ts" "$MAKE/$2" "$OUT/$1"
}

# stop PID…: ends a program that this maker started, and waits for it.
stop() {
  for one in "$@"; do kill "$one" 2> /dev/null || true; done
  for one in "$@"; do wait "$one" 2> /dev/null || true; done
}
