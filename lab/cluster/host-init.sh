#!/bin/sh
# host-init.sh FOLDER: the first process of a lab host, started inside its own mount, UTS, IPC, PID and cgroup
# namespaces and its network namespace. Makes them look like a machine, then waits as its init.
# FOLDER holds: name, hosts, resolv.conf, iptables (nft or legacy); here it puts what the host writes.
set -eu
folder=$1
name=$(cat "$folder/name")
hostname "$name"
mount --make-rprivate /
mount -t proc proc /proc

# kubelet insists on these kernel settings, which are the whole machine's: it is shown files with the values it wants.
for want in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1; do
  setting=/proc/sys/${want%=*}
  [ "$(cat "$setting")" != "${want#*=}" ] || continue
  shown=$folder/sysctl-$(basename "$setting")
  echo "${want#*=}" > "$shown"
  mount --bind "$shown" "$setting"
done

# /sys of this network namespace; the cgroup hierarchies as this cgroup namespace sees them.
controllers=$(cut -d: -f2 /proc/self/cgroup)
legacy=$(echo "$controllers" | grep -v '^$' || true)
umount -R -l /sys
mount -t sysfs sysfs /sys
if [ -n "$legacy" ]; then
  mount -t tmpfs -o mode=755 tmpfs /sys/fs/cgroup
  for c in $legacy; do
    at=/sys/fs/cgroup/${c#name=}
    mkdir "$at"
    case $c in name=*) mount -t cgroup -o "none,$c" cgroup "$at" ;; *) mount -t cgroup -o "$c" cgroup "$at" ;; esac
  done
  mkdir /sys/fs/cgroup/unified
  mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified 2>/dev/null || true
else
  # Version 2 alone: processes live in a leaf, so that the controllers can be handed down beside it.
  mount -t cgroup2 cgroup2 /sys/fs/cgroup
  mkdir -p /sys/fs/cgroup/init
  for pid in $(cat /sys/fs/cgroup/cgroup.procs); do echo "$pid" > /sys/fs/cgroup/init/cgroup.procs || true; done
  for c in cpu cpuset io memory pids; do echo "+$c" > /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null || true; done
fi

# A private /run, and private copies (upper layers) of /etc, /opt and /var over the machine's own.
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/netns /run/flannel /run/systemd/resolve
for d in etc opt var; do
  mkdir -p "$folder/$d" "$folder/$d.work"
  mount -t overlay overlay -o "lowerdir=/$d,upperdir=$folder/$d,workdir=$folder/$d.work" "/$d"
done
# containerd makes overlays of its own and needs a real file system below; kubelet measures one.
for d in lib/kubelet lib/containerd lib/cni log; do
  mkdir -p "/var/$d" "$folder/$d"
  mount --bind "$folder/$d" "/var/$d"
done
mkdir -p /etc/cni/net.d /opt/cni/bin
rm -rf /etc/cni/net.d/* /opt/cni/bin/*
for plugin in /usr/lib/cni/*; do
  [ ! -e "$plugin" ] || ln -s "$plugin" /opt/cni/bin/
done
echo "$name" > /etc/hostname
rm -f /etc/resolv.conf # it may be a link into the machine's own /run
cp "$folder/hosts" /etc/hosts
cp "$folder/resolv.conf" /etc/resolv.conf
backend=$(cat "$folder/iptables")
for command in iptables ip6tables; do
  for suffix in '' -save -restore; do
    ln -sf "/usr/sbin/$command-$backend$suffix" "/etc/alternatives/$command$suffix"
  done
done
mount --make-rshared /

ip link set lo up
case $name in outside) forward=0 ;; *) forward=1 ;; esac
for setting in "net.ipv4.ip_forward=$forward" net.bridge.bridge-nf-call-iptables=1 \
  net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0; do
  sysctl -qw "$setting" || true
done
touch "$folder/ready"
exec tini -- sleep infinity
