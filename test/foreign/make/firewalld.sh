# firewalld.sh FIREWALL_BACKEND FIXTURE: Debian's firewalld with several zones, a policy, rich rules, ipsets, forwards.
firewall_backend=$1 fixture=$2
node; pods
mkdir -p /run/dbus
dbus-daemon --system --fork --nopidfile
sed -i "s/^FirewallBackend=.*/FirewallBackend=$firewall_backend/; s/^LogDenied=.*/LogDenied=unicast/; s/^CleanupOnExit=.*/CleanupOnExit=no/" /etc/firewalld/firewalld.conf
firewalld --nofork --nopid > "$SCRATCH/log" 2>&1 &
FIREWALLD=$!
for _ in $(seq 100); do firewall-cmd --state > /dev/null 2>&1 && break; sleep 0.2; done
set_up() { firewall-cmd --permanent "$@" > /dev/null; }
set_up --new-ipset=bad --type=hash:net
set_up --ipset=bad --add-entry=10.80.0.64/26
set_up --new-ipset=bad6 --type=hash:net --option=family=inet6
set_up --ipset=bad6 --add-entry=fd80::bad:0/112
set_up --zone=public --add-interface=eth0
set_up --zone=public --add-service=http
set_up --zone=public --add-port=30000-30010/tcp --add-port=53/udp
set_up --zone=public --add-source-port=68/udp
set_up --zone=public --add-masquerade
set_up --zone=public --add-forward-port=port=8081:proto=tcp:toport=8080:toaddr=10.244.0.10
set_up --zone=public --add-forward-port=port=8082:proto=tcp:toport=80
set_up --zone=public --add-icmp-block=timestamp-request
set_up --zone=public --add-rich-rule='rule family=ipv4 source address=203.0.113.0/24 port port=80 protocol=tcp reject type=icmp-admin-prohibited'
set_up --zone=public --add-rich-rule='rule family=ipv4 source ipset=bad log prefix="bad " limit value=5/m drop'
set_up --zone=public --add-rich-rule='rule family=ipv6 source ipset=bad6 drop'
set_up --zone=public --add-rich-rule='rule family=ipv4 source address=10.80.0.1 port port=9090 protocol=tcp mark set=0x7/0xff'
set_up --zone=public --add-rich-rule='rule family=ipv4 source address=10.80.0.0/24 port port=9090 protocol=tcp accept'
set_up --zone=public --add-rich-rule='rule priority=-5 protocol value=gre drop'
set_up --zone=drop --add-source=10.80.0.9
set_up --zone=block --add-source=ipset:bad6
set_up --zone=internal --add-interface=cni0
set_up --new-policy=pods-out
set_up --policy=pods-out --add-ingress-zone=internal
set_up --policy=pods-out --add-egress-zone=public
set_up --policy=pods-out --set-target=ACCEPT
set_up --policy=pods-out --add-rich-rule='rule family=ipv4 destination address=198.51.100.0/24 reject'
if [ "$firewall_backend" = iptables ]; then
  set_up --direct --add-rule ipv4 filter INPUT 0 -p tcp --dport 4444 -m hashlimit --hashlimit-upto 5/min --hashlimit-mode srcip --hashlimit-name four -j ACCEPT
fi
firewall-cmd --reload > /dev/null
stable nft list ruleset
stop "$FIREWALLD"
finish "$fixture" "${PROBES:-}"
