# kindnet.sh FIXTURE: kindnet's nftables tables for masquerading, its DNS cache and its fast path, as the tests of its own
# packages masq, dnscache and fastpath list them (main of 2025); see `queues` for its queue
# statements; nor has Linux here flowtables, and the statement `flow add` is put into what was recorded.
fixture=$1
node; pods
ip neigh replace 10.80.0.53 dev eth0 lladdr 02:00:00:00:00:53 nud permanent
nft -f - <<END
table inet kindnet-ipmasq {
  set noMasqV4 { type ipv4_addr; flags interval; auto-merge; elements = { 10.244.0.0/24, 10.244.1.0/24, 192.0.2.0/24 } }
  set noMasqV6 { type ipv6_addr; flags interval; auto-merge; elements = { fd44::/64, fd44:0:0:1::/64 } }
  chain postrouting {
    type nat hook postrouting priority srcnat - 10; policy accept;
    ct state established,related accept
    fib daddr type local accept
    ip daddr @noMasqV4 accept
    ip6 daddr @noMasqV6 accept
    counter masquerade
  }
}
table inet kindnet-dnscache {
  set set-v4-nameservers { type ipv4_addr; elements = { 10.80.0.53 } }
  set set-v6-nameservers { type ipv6_addr; elements = { fd80::53 } }
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    ip saddr 10.244.0.0/24 ip daddr @set-v4-nameservers udp dport 53 log prefix "QUEUE bypass"
    ip6 saddr fd44::/64 ip6 daddr @set-v6-nameservers udp dport 53 log prefix "QUEUE bypass"
  }
  chain output {
    type filter hook output priority raw; policy accept;
    meta mark 0x0000006e udp sport 53 notrack
  }
}
table inet kindnet-fastpath {
  set kindnet-set-devices { type ifname; elements = { "eth0", "cni0" } }
  chain kindnet-fastpath-chain {
    type filter hook forward priority mangle; policy accept;
    iifname != @kindnet-set-devices return
    oifname != @kindnet-set-devices return
    ct state established ct packets > 0 log prefix "FLOW" counter
  }
}
END
finish "$fixture" "${PROBES:-}"
sed -i 's/{"log": {"prefix": "FLOW"}}/{"flow": {"op": "add", "flowtable": "@kindnet-flowtables"}}/' "$OUT/$fixture"/nft-table-*fastpath.json
queues "$OUT/$fixture"/nft-table-*.json
