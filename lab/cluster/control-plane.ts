import { join } from 'node:path';
import { waitFor } from '../wait-for.ts';
import { Api } from './api.ts';
import { type Daemon, startDaemon } from './host.ts';
import { addressOf, CONTROL_PLANE, type Layout } from './layout.ts';
import { pkiFolder } from './pki.ts';

const ETCD = 'http://127.0.0.1:2379';
const API_TIMEOUT_MS = 60_000;

const etcd: Daemon = {
  name: 'etcd',
  // /run is memory: a lab's data need not outlive it, and etcd waits for every write to reach the disk.
  argv: [
    ...['etcd', '--data-dir', '/run/etcd', '--logger', 'zap'],
    ...['--listen-client-urls', ETCD, '--advertise-client-urls', ETCD, '--listen-peer-urls', 'http://127.0.0.1:2380'],
  ],
};

const apiServer = (layout: Layout, program: string): Daemon => {
  const pki = (file: string): string => join(pkiFolder(layout), file);
  return {
    name: 'kube-apiserver',
    argv: [
      program,
      `--advertise-address=${addressOf(layout.net, CONTROL_PLANE)}`,
      `--etcd-servers=${ETCD}`,
      `--service-cluster-ip-range=${layout.serviceCidr}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--allow-privileged=true',
      `--client-ca-file=${pki('ca.crt')}`,
      `--tls-cert-file=${pki('apiserver.crt')}`,
      `--tls-private-key-file=${pki('apiserver.key')}`,
      `--kubelet-client-certificate=${pki('apiserver-kubelet-client.crt')}`,
      `--kubelet-client-key=${pki('apiserver-kubelet-client.key')}`,
      `--kubelet-certificate-authority=${pki('ca.crt')}`,
      '--kubelet-preferred-address-types=InternalIP',
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${pki('sa.pub')}`,
      `--service-account-signing-key-file=${pki('sa.key')}`,
    ],
  };
};

const withKubeconfig = (layout: Layout, user: string): readonly string[] => {
  const file = join(pkiFolder(layout), `${user}.kubeconfig`);
  const flags = ['--kubeconfig', '--authentication-kubeconfig', '--authorization-kubeconfig'];
  return [...flags.map((flag) => `${flag}=${file}`), '--leader-elect=false'];
};

const controllerManager = (layout: Layout, program: string): Daemon => ({
  name: 'kube-controller-manager',
  argv: [
    program,
    ...withKubeconfig(layout, 'controller-manager'),
    '--use-service-account-credentials=true',
    // Each controller asks for a token of its own at its start: by default that alone takes 4 s.
    ...['--kube-api-qps=1000', '--kube-api-burst=1000'],
    `--service-account-private-key-file=${join(pkiFolder(layout), 'sa.key')}`,
    `--root-ca-file=${join(pkiFolder(layout), 'ca.crt')}`,
    '--allocate-node-cidrs=true',
    `--cluster-cidr=${layout.podCidr}`,
    `--service-cluster-ip-range=${layout.serviceCidr}`,
  ],
});

const scheduler = (layout: Layout, program: string): Daemon => ({
  name: 'kube-scheduler',
  argv: [program, ...withKubeconfig(layout, 'scheduler')],
});

/** Starts etcd and the API server, waits until it is ready, then starts the controllers. `program` gives a program's path by its name. */
export const startControlPlane = async (layout: Layout, program: (name: string) => string): Promise<Api> => {
  await startDaemon(layout, CONTROL_PLANE, etcd);
  await startDaemon(layout, CONTROL_PLANE, apiServer(layout, program('kube-apiserver')));
  const api = await Api.connect(layout.kubeconfig);
  const ready = async (): Promise<true | string> => {
    const text = await api.text('/readyz');
    return text === 'ok' ? true : text;
  };
  await waitFor('the API server', ready, { timeoutMs: API_TIMEOUT_MS });
  await startDaemon(layout, CONTROL_PLANE, controllerManager(layout, program('kube-controller-manager')));
  await startDaemon(layout, CONTROL_PLANE, scheduler(layout, program('kube-scheduler')));
  return api;
};
