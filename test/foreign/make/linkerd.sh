# linkerd.sh FIXTURE: what linkerd2-proxy-init's ConfigureFirewall runs (pkg/iptables/iptables.go, main of 2025), mode
# redirect-all, with the options that Linkerd's injector gives it. Here "w1" is the pod.
fixture=$1
node
for name in $(ip netns list | cut -d" " -f1); do sink "$name"; done
resolve 10.80.0.1 fd80::1
nat() { iptables -t nat "$@"; }
said() { echo "-m comment --comment proxy-init/$1"; }
nat -N PROXY_INIT_REDIRECT
nat -A PROXY_INIT_REDIRECT -p tcp --match multiport --dports 4190,4191,4567:4568 -j RETURN $(said ignore-port-4190,4191,4567:4568)
nat -A PROXY_INIT_REDIRECT -p all -j RETURN -s 203.0.113.0/24 $(said ignore-subnet-203.0.113.0/24)
nat -A PROXY_INIT_REDIRECT -p tcp -j REDIRECT --to-port 4143 $(said redirect-all-incoming-to-proxy-port)
nat -A PREROUTING -j PROXY_INIT_REDIRECT $(said install-proxy-init-prerouting)
nat -N PROXY_INIT_OUTPUT
nat -A PROXY_INIT_OUTPUT -m owner --uid-owner 2102 -j RETURN $(said ignore-proxy-user-id)
nat -A PROXY_INIT_OUTPUT -m owner --gid-owner 2102 -j RETURN $(said ignore-proxy-group-id)
nat -A PROXY_INIT_OUTPUT -o lo -j RETURN $(said ignore-loopback)
nat -A PROXY_INIT_OUTPUT -p tcp --match multiport --dports 4567:4568 -j RETURN $(said ignore-port-4567:4568)
nat -A PROXY_INIT_OUTPUT -p tcp -j REDIRECT --to-port 4140 $(said redirect-all-outgoing-to-proxy-port)
nat -A OUTPUT -j PROXY_INIT_OUTPUT $(said install-proxy-init-output)
finish "$fixture" "${PROBES:-}"
