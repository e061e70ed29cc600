# shorewall.sh FIXTURE: Debian's shorewall, its example of two interfaces, with rules that use most of its language.
fixture=$1
node; pods
cp /usr/share/doc/shorewall/examples/two-interfaces/* /etc/shorewall/
gunzip -f /etc/shorewall/*.gz 2> /dev/null || true
cd /etc/shorewall
cat > interfaces <<END
?FORMAT 2
net eth0 tcpflags,nosmurfs,routefilter=0,logmartians=0,sourceroute=0
loc cni0 tcpflags,nosmurfs,routefilter=0,routeback,bridge
END
cat > policy <<END
loc net ACCEPT
net all DROP \$LOG_LEVEL
all all REJECT \$LOG_LEVEL
END
cat > snat <<END
MASQUERADE 10.244.0.0/16 eth0
SNAT(10.80.0.11) 10.245.0.0/16 eth0:192.0.2.0/24 tcp 443
END
ipset create allowed hash:net
ipset add allowed 10.80.0.0/26
cat > rules <<END
?SECTION ALL
?SECTION ESTABLISHED
?SECTION RELATED
?SECTION INVALID
?SECTION UNTRACKED
?SECTION NEW
Invalid(DROP) net all tcp
DNS(ACCEPT) \$FW net
SSH(ACCEPT) net:+allowed \$FW
Ping(ACCEPT) net \$FW
ACCEPT net \$FW tcp 8000:8010,9000 1024:65535
ACCEPT net \$FW tcp 2222 - - s:ssh:3/min:3
ACCEPT net \$FW tcp 2223 - - - - - - utc&timestart=08:00&timestop=17:00&weekdays=Mon,Tue
ACCEPT net \$FW tcp 2224 - - - - - 4:24
DNAT net loc:10.244.0.10:8080 tcp 80
REDIRECT net 3128 tcp 8081
DROP loc:10.244.0.4 net:203.0.113.0/24
REJECT:info:named loc net tcp 25
ACCEPT net:10.80.0.9-10.80.0.12 \$FW udp 161
END
cat > blrules <<END
DROP net:10.80.0.66 all
END
cat > mangle <<END
MARK(0x10):P 10.244.0.4 0.0.0.0/0 tcp 443
CONNMARK(0x20):F 0.0.0.0/0 198.51.100.0/24
SAVE:T
TTL(+1):F 10.244.0.0/24
DSCP(EF):T 0.0.0.0/0 0.0.0.0/0 udp 5060
END
cat > conntrack <<END
?FORMAT 3
NOTRACK:P eth0 0.0.0.0/0 udp 4444
CT:helper:ftp:PO - - tcp 21
END
sed -i 's/^IP_FORWARDING=.*/IP_FORWARDING=Keep/; s/^LOGFILE=.*/LOGFILE=systemd/; s/^STARTUP_ENABLED=.*/STARTUP_ENABLED=Yes/' shorewall.conf
printf "ACCEPT cni0 -\nACCEPT - cni0\n" > stoppedrules
cd /
shorewall start > "$SCRATCH/log" 2>&1 || { tail -20 "$SCRATCH/log"; exit 1; }
settings
finish "$fixture" "${PROBES:-}"
