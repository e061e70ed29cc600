# docker.sh FIXTURE: Debian's dockerd with two networks, one internal, containers with published ports.
fixture=$1
node
for name in $(ip netns list | cut -d" " -f1); do sink "$name"; done
mkdir -p "$SCRATCH/docker" /var/lib/docker /run/docker
mount -t tmpfs tmpfs /var/lib/docker
mount -t tmpfs tmpfs /var/lib/containerd 2>/dev/null || { mkdir -p /var/lib/containerd; mount -t tmpfs tmpfs /var/lib/containerd; }
echo 0 > /proc/sys/net/ipv4/ip_forward # so that Docker's own policy for FORWARD is seen
/usr/sbin/dockerd --storage-driver=vfs --data-root=/var/lib/docker --ipv6 --fixed-cidr-v6=fd17::/64 --ip6tables --experimental \
  --exec-root=/run/docker -H unix:///run/docker.sock > "$SCRATCH/log" 2>&1 &
DOCKERD=$!
docker_() { DOCKER_HOST=unix:///run/docker.sock /usr/bin/docker "$@"; }
for _ in $(seq 150); do docker_ info > /dev/null 2>&1 && break; sleep 0.2; done
docker_ info > /dev/null 2>&1 || { tail -20 "$SCRATCH/log"; exit 1; }
docker_ network create > /dev/null --subnet 172.30.0.0/24 -o com.docker.network.bridge.name=br-front front
docker_ network create > /dev/null --internal --subnet 172.31.0.0/24 -o com.docker.network.bridge.name=br-back back
tar -C "$PROGRAMS" -c pause | docker_ import -c 'ENTRYPOINT ["/pause"]' - pause > /dev/null
docker_ run -d --name bridged -p 8080:80 -p 127.0.0.1:8081:81 -p 5353:53/udp pause > /dev/null
docker_ run -d --name front --network front --ip 172.30.0.10 -p 8090:90 pause > /dev/null
docker_ run -d --name back --network back --ip 172.31.0.10 pause > /dev/null
for container in bridged front back; do
  mount --bind "/proc/$(docker_ inspect -f '{{.State.Pid}}' "$container")/ns/net" "$(touch "/run/netns/$container"; echo "/run/netns/$container")"
  sink "$container"
done
settings
resolve 172.17.0.2 172.30.0.10 172.31.0.10 10.80.0.1
finish "$fixture" "${PROBES:-}"
