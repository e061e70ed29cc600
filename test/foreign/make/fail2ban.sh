# fail2ban.sh FIXTURE: Debian's fail2ban with a jail for each way in which it bans, and one address banned in each.
fixture=$1
node; pods
mkdir -p /var/run/fail2ban
touch /var/log/auth.log
cat > /etc/fail2ban/jail.local <<END
[DEFAULT]
backend = polling
logpath = /var/log/auth.log
filter = sshd
[sshd]
enabled = true
port = ssh,2222
action = iptables-multiport[name=sshd, port="%(port)s", protocol="tcp"]
[all]
enabled = true
action = iptables-allports[name=all, blocktype="DROP"]
[set]
enabled = true
action = iptables-ipset-proto6[name=set, port="http,https", protocol="tcp"]
[set-all]
enabled = true
action = iptables-ipset-proto6-allports[name=set-all]
[table]
enabled = true
action = nftables-multiport[name=table, port="25,587", protocol="tcp"]
[table-all]
enabled = true
action = nftables-allports[name=table-all]
END
fail2ban-server -f -s /var/run/fail2ban/f.sock -p /var/run/fail2ban/f.pid start > "$SCRATCH/log" 2>&1 &
SERVER=$!
client() { fail2ban-client -s /var/run/fail2ban/f.sock "$@"; }
for _ in $(seq 100); do client ping > /dev/null 2>&1 && break; sleep 0.2; done
for jail in sshd all set set-all table table-all; do
  client set "$jail" banip "$([ "${jail#table}" = "$jail" ] && echo 10.80.0.66 || echo 203.0.113.7)" > /dev/null
done
client set sshd banip fd80::bad > /dev/null
rules() { iptables-save; nft list ruleset; ipset save; }
for _ in $(seq 50); do [ "$(rules 2> /dev/null | grep -c '203.0.113.7')" -ge 2 ] && break; sleep 0.2; done
stable rules
kill -9 "$SERVER"
finish "$fixture" "${PROBES:-}"
