# netavark.sh FIXTURE: Podman's netavark, called as Podman calls it: a bridge network, two containers, published ports.
fixture=$1
node; quiet
network='"podman1":{"name":"podman1","id":"2f259bab93aaaaa2542ba43ef33eb990d0999ee1b9924b557b7be53c0b7a1bb9","driver":"bridge",
 "network_interface":"podman1","subnets":[{"subnet":"10.89.0.0/24","gateway":"10.89.0.1"},{"subnet":"fd89::/64","gateway":"fd89::1"}],
 "ipv6_enabled":true,"internal":false,"dns_enabled":false,"ipam_options":{"driver":"host-local"},"created":"2026-01-01T00:00:00Z"}'
mkdir -p /run/netavark
for number in 2 3; do
  ip netns add "c$number"
  ip netns exec "c$number" sysctl -qw net.ipv6.conf.default.accept_dad=0
  sink "c$number"
  ports=$([ $number = 2 ] && echo '{"container_port":80,"host_ip":"","host_port":8080,"protocol":"tcp","range":1},
   {"container_port":7000,"host_ip":"","host_port":7000,"protocol":"udp","range":5},
   {"container_port":90,"host_ip":"10.80.0.11","host_port":9090,"protocol":"tcp","range":1}' || true)
  /usr/lib/podman/netavark --config /run/netavark setup "/run/netns/c$number" > "$SCRATCH/netavark.log" 2>&1 <<END || { cat "$SCRATCH/netavark.log"; exit 1; }
{"container_id":"${number}6cc6d2f5ee3f5a2a8b5f3a6e","container_name":"c$number","port_mappings":[$ports],
 "networks":{"podman1":{"static_ips":["10.89.0.$number","fd89::$number"],"interface_name":"eth0"}},"network_info":{$network}}
END
done
settings
resolve 10.89.0.2 10.89.0.3 fd89::2 fd89::3 10.80.0.1
finish "$fixture" "${PROBES:-}"
