# bandwidth.sh FIXTURE: Debian's CNI plug-in bandwidth on the pod `web`: a tbf qdisc, and a filter that sends to an ifb device.
fixture=$1
node; pods
CNI_COMMAND=ADD CNI_CONTAINERID=web CNI_NETNS=/run/netns/web CNI_IFNAME=eth0 CNI_PATH=/usr/lib/cni /usr/lib/cni/bandwidth <<END > /dev/null
{"cniVersion":"1.0.0","name":"pods","type":"bandwidth","ingressRate":1000000,"ingressBurst":1000000,"egressRate":1000000,
 "egressBurst":1000000,"prevResult":{"cniVersion":"1.0.0","interfaces":[{"name":"cni0"},{"name":"veth-web"},
 {"name":"eth0","sandbox":"/run/netns/web"}],"ips":[{"address":"10.244.0.10/24","gateway":"10.244.0.1","interface":2}]}}
END
finish "$fixture"
