# calico.sh BACKEND FIXTURE: the chains that Calico's felix renders (calico/main.go), loaded by iptables-restore, with pods
# as Calico has them: no bridge, a route to each, the gateway 169.254.1.1 by proxy ARP.
backend=$1 fixture=$2
node
routed web caliweb 10.244.0.10
routed client caliclient 10.244.0.4
ip -n web addr add 10.99.9.9/32 dev eth0 # not its own: what Calico's rpfilter rule is for
ip -n outside route add 10.80.0.44 via 10.80.0.11 # the floating address
quiet
set_of() { # set_of NAME TYPE ELEMENT…
  ipset create "$1" "$2" family inet maxelem 1048576
  name=$1
  shift 2
  for element in "$@"; do ipset add "$name" "$element"; done
}
set_of cali40masq-ipam-pools hash:net 10.244.0.0/16
set_of cali40all-ipam-pools hash:net 10.244.0.0/16
set_of cali40all-hosts-net hash:net 10.80.0.11 10.80.0.12
set_of cali40all-vxlan-net hash:net 10.80.0.12
set_of cali40this-host hash:ip 10.80.0.11
set_of cali40s:clients hash:net 10.244.0.4 10.244.1.4
set_of cali40s:webs hash:net 10.244.0.10 10.244.1.10
set_of cali40n:http hash:ip,port 10.244.0.10,tcp:9090
set_of cali40svc:web hash:ip,port 10.244.1.10,tcp:8080 10.244.0.10,tcp:8080
"$PROGRAMS/felix-render" "$backend" 2> /dev/null > "$SCRATCH/rules"
iptables-restore --noflush "$SCRATCH/rules"
finish "$fixture" "${PROBES:-}"
