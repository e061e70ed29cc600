/** What a line of /proc/PID/cgroup tells: the pod and the container that the process belongs to. */
export interface CgroupMember {
  /** metadata.uid with dashes, or the 32 hex digits of a static pod's configuration hash. */
  readonly uid: string;
  /** The container's id; undefined for a process of the pod's own cgroup. */
  readonly container?: string;
}

/*
 * Format: `hierarchy-ID:controllers:path` (cgroups(7)); the path is the kubelet's and the runtime's:
 *
 *   cgroupfs  /kubepods/burstable/podUID/ID                       containerd, docker
 *             /kubepods/burstable/podUID/crio-ID                  CRI-O
 *   systemd   /kubepods.slice/kubepods-burstable.slice/kubepods-burstable-podUID.slice/cri-containerd-ID.scope
 *             …/crio-ID.scope, …/docker-ID.scope, …/crio-ID.scope/container
 *   mixed     /system.slice/containerd.service/kubepods-besteffort-podUID.slice:cri-containerd:ID
 *
 * In a systemd name a UID's dashes are underscores. A node that is itself a container (kind) has more parts in front;
 * with a private cgroup namespace the reader sees `/../..` in front. What a container starts in cgroups of its own
 * comes behind its id. `crio-conmon-ID.scope` is CRI-O's monitor, which runs in the node's namespaces: no member.
 *
 * Source: kubernetes pkg/kubelet/cm (cgroup_manager_linux.go), containerd internal/cri, cri-o internal/config/cgmgr.
 */
const POD =
  /(?:^|[/-])pod(?<uid>[0-9a-f]{8}(?:[-_][0-9a-f]{4}){3}[-_][0-9a-f]{12}|[0-9a-f]{32})(?:\.slice)?(?<rest>$|[/:].*$)/;
const CONTAINER = /^[/:](?:(?<runtime>[a-z-]+)[-:])?(?<id>[0-9a-f]{64})(?:\.scope)?(?:$|\/)/;

export function parseCgroupPath(path: string): CgroupMember | undefined {
  const pod = POD.exec(path)?.groups;
  if (!pod) return undefined;
  const container = CONTAINER.exec(pod.rest ?? '')?.groups;
  if (container?.runtime === 'crio-conmon') return undefined;
  const uid = pod.uid!.replaceAll('_', '-');
  return container ? { uid, container: container.id! } : { uid };
}

/** The whole of /proc/PID/cgroup. With cgroup v1 a process has a path per controller: the one that says most is taken. */
export function parseCgroupFile(text: string): CgroupMember | undefined {
  let best: CgroupMember | undefined;
  for (const line of text.split('\n')) {
    const path = /^\d+:[^:]*:(?<path>\/.*)$/.exec(line)?.groups?.path;
    const member = path === undefined ? undefined : parseCgroupPath(path);
    if (member?.container !== undefined) return member;
    best ??= member;
  }
  return best;
}
