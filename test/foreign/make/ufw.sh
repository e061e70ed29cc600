# ufw.sh FIXTURE: Debian's ufw with its defaults, and a rule of each kind.
fixture=$1
node; pods
ufw_() { ufw "$@" > "$SCRATCH/ufw.log" 2>&1 || { cat "$SCRATCH/ufw.log"; exit 1; }; }
sed -i 's/^IPV6=.*/IPV6=yes/; s/^DEFAULT_FORWARD_POLICY=.*/DEFAULT_FORWARD_POLICY="DROP"/' /etc/default/ufw
ufw_ --force enable
ufw_ default deny incoming
ufw_ default allow outgoing
ufw_ allow 22/tcp
ufw_ limit 2222/tcp
ufw_ allow from 10.80.0.0/26 to any port 80 proto tcp
ufw_ deny from 10.80.0.66
ufw_ reject in on eth0 to any port 25 proto tcp
ufw_ reject out to 198.51.100.9
ufw_ allow 8000:8010,9000/tcp
ufw_ allow log-all 5353/udp
ufw_ route allow in on eth0 out on cni0 to 10.244.0.10 port 8080 proto tcp
ufw_ route allow in on cni0 out on eth0
ufw_ route deny from 10.244.0.4 to 203.0.113.0/24
ufw_ logging medium
settings # ufw has set its own
stable iptables-save
finish "$fixture" "${PROBES:-}"
