#!/bin/sh
# enter.sh PID FILE COMMAND...: runs COMMAND on the lab host whose first process is PID, in all its namespaces and in
# the cgroups listed in FILE.
pid=$1 cgroups=$2
shift 2
while read -r folder; do
  [ ! -d "$folder/init" ] || folder=$folder/init # cgroup version 2 alone
  echo $$ > "$folder/cgroup.procs" 2>/dev/null || true
done < "$cgroups"
exec nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup -- "$@"
