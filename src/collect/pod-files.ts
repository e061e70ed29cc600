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

/** Which C library's resolver its programs use; of the libraries only the names are read. */
export const nameService: Collector = {
  fact: 'name-service',
  scope: 'pod',
  how: () => ({ via: 'files', root: 'container', paths: ['/etc/nsswitch.conf', '/lib/', '/lib64/'] }),
  limits: LIMITS.files,
};
