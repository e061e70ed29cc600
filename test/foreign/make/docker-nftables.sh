# docker-nftables.sh FIXTURE: the table of Docker's nftables backend (moby's own generated description of it,
# integration/network/bridge/nftablesdoc/generated/usernet-portmap.md and usernet-internal.md at 108bdbd), by hand: the network
# `bridge1` with the containers web and client, a published port of web, and the internal network `inner` with one of its own.
fixture=$1
BRIDGE=bridge1
node; pods
ip link add inner type bridge
ip addr add 172.31.0.1/24 dev inner
ip link set inner up
peer hidden veth-hidden
ip link set veth-hidden master inner
ip -n hidden addr add 172.31.0.10/24 dev eth0
ip -n hidden route add default via 172.31.0.1
sink hidden
settings
resolve 172.31.0.10
network() { # network NAME OUTGOING MASQUERADE
  cat <<END
  chain filter-forward-out__$1 {
    ct state established,related counter accept
    $2
  }
  chain nat-postrouting-in__$1 { }
  chain nat-postrouting-out__$1 {
    $3
  }
END
}
nft -f - <<END
table ip docker-bridges {
  map filter-forward-in-jumps { type ifname : verdict; elements = { "bridge1" : jump filter-forward-in__bridge1, "inner" : jump filter-forward-in__inner }; }
  map filter-forward-out-jumps { type ifname : verdict; elements = { "bridge1" : jump filter-forward-out__bridge1, "inner" : jump filter-forward-out__inner }; }
  map nat-postrouting-in-jumps { type ifname : verdict; elements = { "bridge1" : jump nat-postrouting-in__bridge1, "inner" : jump nat-postrouting-in__inner }; }
  map nat-postrouting-out-jumps { type ifname : verdict; elements = { "bridge1" : jump nat-postrouting-out__bridge1, "inner" : jump nat-postrouting-out__inner }; }
  chain filter-FORWARD {
    type filter hook forward priority filter; policy accept;
    oifname vmap @filter-forward-in-jumps
    iifname vmap @filter-forward-out-jumps
  }
  chain nat-OUTPUT {
    type nat hook output priority -100; policy accept;
    ip daddr != 127.0.0.0/8 fib daddr type local counter jump nat-prerouting-and-output
  }
  chain nat-POSTROUTING {
    type nat hook postrouting priority srcnat; policy accept;
    iifname vmap @nat-postrouting-out-jumps
    oifname vmap @nat-postrouting-in-jumps
  }
  chain nat-PREROUTING {
    type nat hook prerouting priority dstnat; policy accept;
    fib daddr type local counter jump nat-prerouting-and-output
  }
  chain nat-prerouting-and-output {
    iifname != "bridge1" tcp dport 8080 counter dnat to 10.244.0.10:80 comment "DNAT"
  }
  chain raw-PREROUTING {
    type filter hook prerouting priority raw; policy accept;
    ip daddr 10.244.0.10 iifname != "bridge1" counter drop comment "DROP DIRECT ACCESS"
  }
  chain filter-forward-in__bridge1 {
    ct state established,related counter accept
    iifname "bridge1" counter accept comment "ICC"
    ip daddr 10.244.0.10 tcp dport 80 counter accept
    counter drop comment "UNPUBLISHED PORT DROP"
  }
  chain filter-forward-in__inner {
    ct state established,related counter accept
    iifname != "inner" counter drop comment "INTERNAL NETWORK INGRESS"
    counter accept comment "ICC"
  }
$(network bridge1 'counter accept comment "OUTGOING"' 'oifname != "bridge1" ip saddr 10.244.0.0/24 counter masquerade comment "MASQUERADE"')
$(network inner 'oifname != "inner" counter drop comment "INTERNAL NETWORK EGRESS"' '')
}
END
finish "$fixture" "${PROBES:-}"
