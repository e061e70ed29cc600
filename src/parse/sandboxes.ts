/** Which processes belong to which pod on a node, read from /proc/PID/cgroup by the node side. */
export interface PodSandbox {
  readonly uid: string;
  /** Inode of the network namespace (the number in `net:[4026531840]`). */
  readonly networkNamespace: number;
  readonly pids: readonly number[];
  /** Pid of a process that is not the pause process, where there is one: its /etc/resolv.conf is the application's. */
  readonly containerPid?: number;
  readonly containers: readonly {
    readonly id: string;
    readonly pid: number;
    readonly command: string;
    readonly uid: number;
  }[];
}

export interface Sandboxes {
  readonly hostNetworkNamespace: number;
  readonly pods: readonly PodSandbox[];
}
