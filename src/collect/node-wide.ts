import type { Collector } from './collector.ts';
import { LIMITS } from './limits.ts';

/* What a node has once, not once per network namespace. */

export const kernel: Collector = {
  fact: 'kernel',
  scope: 'node',
  how: () => ({
    via: 'files',
    root: 'node',
    paths: ['/proc/sys/kernel/osrelease', '/etc/os-release', '/proc/uptime', '/proc/stat'],
  }),
  limits: LIMITS.files,
};

/** `-S`: by syslog(2), since a container has no /dev/kmsg; it only reads (SYSLOG_ACTION_READ_ALL). */
export const kernelLog: Collector = {
  fact: 'kernel-log',
  scope: 'node',
  how: () => ({ via: 'command', argv: ['dmesg', '-S'] }),
  limits: LIMITS.kernelLog,
};

export const sandboxes: Collector = {
  fact: 'sandboxes',
  scope: 'node',
  how: () => ({ via: 'node-side', name: 'sandboxes' }),
  limits: LIMITS.common,
};

export const softnet: Collector = {
  fact: 'softnet',
  scope: 'node',
  how: () => ({ via: 'files', root: 'netns', paths: ['/proc/net/softnet_stat'] }),
  limits: LIMITS.files,
};

/** Where runtimes look by default: containerd and CRI-O, k3s and RKE2, microk8s. Only the endings that libcni reads: the directories also hold kubeconfigs. */
const CNI_DIRECTORIES = [
  '/etc/cni/net.d',
  '/var/lib/rancher/k3s/agent/etc/cni/net.d',
  '/var/lib/rancher/rke2/agent/etc/cni/net.d',
  '/var/snap/microk8s/current/args/cni-network',
];

export const cniConfiguration: Collector = {
  fact: 'cni-configuration',
  scope: 'node',
  how: () => ({
    via: 'files',
    root: 'node',
    paths: CNI_DIRECTORIES.flatMap((directory) => [
      `${directory}/`,
      `${directory}/*.conf`,
      `${directory}/*.conflist`,
      `${directory}/*.json`,
    ]),
  }),
  limits: LIMITS.files,
};

export const cniFiles: Collector = {
  fact: 'cni-files',
  scope: 'node',
  how: () => ({
    via: 'files',
    root: 'node',
    paths: ['/opt/cni/bin/', '/usr/lib/cni/', '/usr/libexec/cni/', '/var/lib/cni/networks/*/*'],
  }),
  limits: LIMITS.files,
};

export const flannelSubnet: Collector = {
  fact: 'flannel-subnet',
  scope: 'node',
  how: () => ({ via: 'files', root: 'node', paths: ['/run/flannel/subnet.env'] }),
  limits: LIMITS.files,
};
