# cni-plugins.sh PLUGINS BACKEND FIXTURE: hostPort, firewall and masquerading by the reference CNI plugins.
# PLUGINS: the folder of their programs; BACKEND: iptables or nftables (portmap and bridge of 1.6 and later).
plugins=$1 backend=$2 fixture=$3
node; pods
web='{"cniVersion":"1.0.0","interfaces":[{"name":"cni0"},{"name":"veth-web"},{"name":"eth0","sandbox":"/run/netns/web"}],
 "ips":[{"address":"10.244.0.10/24","gateway":"10.244.0.1","interface":2},{"address":"fd44::10/64","gateway":"fd44::1","interface":2}]}'
option=$([ "$backend" = nftables ] && echo '"backend":"nftables",' || true)
conditions=$([ "$backend" = nftables ] || echo '"conditionsV4":["!","-s","203.0.113.0/24"],')
call() { # call PLUGIN CONTAINER NETNS CONFIGURATION
  CNI_COMMAND=ADD CNI_CONTAINERID=$2 CNI_NETNS=/run/netns/$3 CNI_IFNAME=eth0 CNI_PATH=$plugins "$plugins/$1" <<< "$4" > "$SCRATCH/$1.json" \
    || { cat "$SCRATCH/$1.json"; exit 1; }
}
call portmap web web '{"cniVersion":"1.0.0","name":"pods","type":"portmap",'"$option"'"snat":true,'"$conditions"'
 "prevResult":'"$web"',"runtimeConfig":{"portMappings":[
 {"hostPort":8080,"containerPort":80,"protocol":"tcp"},{"hostPort":5353,"containerPort":53,"protocol":"udp"},
 {"hostPort":3868,"containerPort":3868,"protocol":"sctp"},
 {"hostPort":9090,"containerPort":90,"protocol":"tcp","hostIP":"10.80.0.11"},{"hostPort":9091,"containerPort":91,"protocol":"tcp","hostIP":"127.0.0.1"}]}}'
call firewall web web '{"cniVersion":"1.0.0","name":"pods","type":"firewall","backend":"iptables","ingressPolicy":"same-bridge","prevResult":'"$web"'}'
ip netns add third
masquerade=$([ "$backend" = nftables ] && echo '"ipMasqBackend":"nftables",' || true)
call bridge third third '{"cniVersion":"1.0.0","name":"third","type":"bridge","bridge":"cni1","isGateway":true,"ipMasq":true,'"$masquerade"'
 "ipam":{"type":"static","addresses":[{"address":"10.245.0.10/24","gateway":"10.245.0.1"},{"address":"fd45::10/64","gateway":"fd45::1"}]}}'
iptables -P FORWARD DROP
settings
finish "$fixture" "${PROBES:-}"
