import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandFailed } from '../command.ts';
import { waitFor } from '../wait-for.ts';
import { IMAGES } from './build/images.ts';
import { hostFolder, runOnHost, startDaemon } from './host.ts';
import { addressOf, type Layout } from './layout.ts';
import { kubeletUser, pkiFolder } from './pki.ts';

const SOCKET = '/run/containerd/containerd.sock';
const IMPORT_TIMEOUT_MS = 120_000;

/**
 * What differs from the default: no snapshotters that probe the machine, no AppArmor, and no negative OOM scores,
 * for which a lab without CAP_SYS_RESOURCE has no right.
 */
const containerdConfig = `version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = [${['btrfs', 'zfs', 'devmapper', 'aufs'].map((s) => `"io.containerd.snapshotter.v1.${s}"`).join(', ')}]
[grpc]
  address = "${SOCKET}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${IMAGES.pause}"
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
`;

/** Imports image archives on a worker and answers the references that are new there. */
export const importImages = async (
  layout: Layout,
  worker: string,
  archives: readonly string[],
): Promise<readonly string[]> => {
  const ctr = ['ctr', '--address', SOCKET, '--namespace', 'k8s.io', 'images'];
  const list = async (): Promise<readonly string[]> => {
    const { stdout } = await runOnHost(layout, worker, [...ctr, 'list', '--quiet']);
    return stdout.split('\n').filter(Boolean);
  };
  const before = new Set(await list());
  for (const archive of archives) {
    // Unpacked when a container first needs it: most images are needed later or on one worker only.
    const argv = [...ctr, 'import', '--no-unpack', archive];
    const result = await runOnHost(layout, worker, argv, { timeoutMs: IMPORT_TIMEOUT_MS });
    if (result.code !== 0) throw new CommandFailed(['on', worker, ...argv], result);
  }
  return (await list()).filter((reference) => !before.has(reference));
};

export const startContainerd = async (layout: Layout, worker: string): Promise<void> => {
  const config = join(hostFolder(layout, worker), 'containerd.toml');
  await writeFile(config, containerdConfig);
  await startDaemon(layout, worker, { name: 'containerd', argv: ['containerd', '--config', config] });
  const ready = async (): Promise<true | string> => {
    const { code, stderr } = await runOnHost(layout, worker, ['ctr', '--address', SOCKET, 'version']);
    return code === 0 ? true : stderr;
  };
  await waitFor(`containerd on ${worker}`, ready, { timeoutMs: 30_000 });
};

const kubeletConfig = (layout: Layout, worker: string): unknown => {
  const pki = (file: string): string => join(pkiFolder(layout), file);
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: pki('ca.crt') },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: pki(`${kubeletUser(worker)}.crt`),
    tlsPrivateKeyFile: pki(`${kubeletUser(worker)}.key`),
    containerRuntimeEndpoint: `unix://${SOCKET}`,
    cgroupDriver: 'cgroupfs',
    failCgroupV1: false,
    failSwapOn: false,
    oomScoreAdj: 0,
    clusterDomain: 'cluster.local',
    clusterDNS: [layout.dnsServiceAddress],
    resolvConf: '/etc/resolv.conf',
    // The machine's disk may be fuller than a kubelet likes; the lab needs little of it.
    evictionHard: {
      'memory.available': '50Mi',
      'nodefs.available': '1%',
      'nodefs.inodesFree': '1%',
      'imagefs.available': '1%',
    },
    imageGCHighThresholdPercent: 100,
    nodeStatusUpdateFrequency: '4s',
    syncFrequency: '10s',
    // Volumes and secrets of a lab never change under a running pod, but a fault must be seen soon.
    configMapAndSecretChangeDetectionStrategy: 'Watch',
    serializeImagePulls: false,
    registryPullQPS: 0,
  };
};

export const startKubelet = async (layout: Layout, worker: string, program: string): Promise<void> => {
  const config = join(hostFolder(layout, worker), 'kubelet.json');
  await writeFile(config, JSON.stringify(kubeletConfig(layout, worker), null, 1));
  await startDaemon(layout, worker, {
    name: 'kubelet',
    argv: [
      program,
      `--config=${config}`,
      `--kubeconfig=${join(pkiFolder(layout), `${kubeletUser(worker)}.kubeconfig`)}`,
      `--hostname-override=${worker}`,
      `--node-ip=${addressOf(layout.net, worker)}`,
      '--root-dir=/var/lib/kubelet',
    ],
  });
};
