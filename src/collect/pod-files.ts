import type { Collector } from './collector.ts';
import { LIMITS } from './limits.ts';

/* What a container of the pod sees; the kubelet writes both files and mounts them into each container. */

export const resolvConf: Collector = {
  fact: 'resolv-conf',
  scope: 'pod',
  how: () => ({ via: 'files', root: 'container', paths: ['/etc/resolv.conf'] }),
  limits: LIMITS.files,
};

export const hostsFile: Collector = {
  fact: 'hosts-file',
  scope: 'pod',
  how: () => ({ via: 'files', root: 'container', paths: ['/etc/hosts'] }),
  limits: LIMITS.files,
};
