import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { command } from '../command.ts';
import { waitFor } from '../wait-for.ts';
import { cniOf, manifestValues } from './add-ons.ts';
import { type Api, pathOf } from './api.ts';
import { Bed } from './bed.ts';
import { ARCHIVE, REGISTRY } from './build/images.ts';
import { loadStored } from './build/store.ts';
import { type Built, build } from './build.ts';
import { startControlPlane } from './control-plane.ts';
import { leftovers } from './down.ts';
import { makeFabric, startUpstreamDns } from './fabric.ts';
import { startDaemon, startHost } from './host.ts';
import { type Layout, OUTSIDE } from './layout.ts';
import { readManifest } from './manifest.ts';
import { makePki } from './pki.ts';
import { importImages, startContainerd, startKubelet } from './worker.ts';

export type Say = (line: string) => void;

const READY_TIMEOUT_MS = 120_000;

/** Programs of the machine that a bed needs, and the Debian package that has each. */
const NEEDED: Readonly<Record<string, string>> = {
  containerd: 'containerd',
  ctr: 'containerd',
  runc: 'runc',
  etcd: 'etcd-server',
  tini: 'tini',
  ip: 'iproute2',
  iptables: 'iptables',
  conntrack: 'conntrack',
  ipset: 'ipset',
  openssl: 'openssl',
  busybox: 'busybox-static',
  nsenter: 'util-linux',
  '/usr/lib/cni/bridge': 'containernetworking-plugins',
};

const checkMachine = async (layout: Layout): Promise<void> => {
  if (process.getuid?.() !== 0) throw new Error('a test cluster needs root: it makes namespaces, mounts and cgroups');
  const missing: string[] = [];
  for (const [program, debian] of Object.entries(NEEDED)) {
    const { code } = await command(['sh', '-c', 'command -v "$0" >/dev/null', program]);
    if (code !== 0) missing.push(debian);
  }
  if (missing.length > 0) throw new Error(`missing: apt-get install -y ${[...new Set(missing)].join(' ')}`);
  const left = await leftovers(layout.name);
  if (left.length > 0) {
    throw new Error(
      `bed ${layout.name} is up, or was interrupted (${left[0]}): npm run cluster -- down --name ${layout.name}`,
    );
  }
};

/** The names by which the one Kubernetes program is called. */
const KUBERNETES_NAMES = ['kube-apiserver', 'kube-controller-manager', 'kube-scheduler', 'kubelet', 'kubectl'];

export const programOf = (layout: Layout, name: string): string => join(layout.folder, 'bin', name);

const unpackPrograms = async (layout: Layout, built: Built): Promise<void> => {
  await mkdir(join(layout.folder, 'bin'));
  const unpack = async (name: string): Promise<void> =>
    writeFile(programOf(layout, name), await loadStored(built.programs[name]!, name), { mode: 0o755 });
  await Promise.all(['kubernetes', 'coredns', 'agnhost'].map(unpack));
  await Promise.all(KUBERNETES_NAMES.map((name) => symlink('kubernetes', programOf(layout, name))));
};

/** The archives to import, copied to where the hosts can see them. */
const unpackImages = async (layout: Layout, built: Built): Promise<readonly string[]> => {
  const folder = join(layout.folder, 'images');
  await mkdir(folder);
  const own = join(folder, ARCHIVE);
  await writeFile(own, await loadStored(built.images, ARCHIVE));
  const more = layout.images.map((path, i) => ({ path, copy: join(folder, `${i}-${basename(path)}`) }));
  for (const { path, copy } of more) await copyFile(path, copy);
  return [own, ...more.map(({ copy }) => copy)];
};

const nodesReady = async (api: Api, layout: Layout): Promise<void> => {
  const check = async (): Promise<true | string> => {
    const nodes = await api.list(pathOf('Node', undefined));
    const ready = nodes.filter((node) =>
      node.status.conditions.some((c: { type: string; status: string }) => c.type === 'Ready' && c.status === 'True'),
    );
    return ready.length === layout.workers ? true : `${nodes.length} registered, ${ready.length} ready`;
  };
  await waitFor('the nodes', check, { timeoutMs: READY_TIMEOUT_MS });
};

/** Not before a pod on every worker gets through a Service and has a name resolved is the cluster usable. */
const servicesWork = async (bed: Bed): Promise<void> => {
  const web = (await bed.api.get(pathOf('Service', 'demo', 'web'))).spec.clusterIP as string;
  for (const worker of bed.layout.workerNames) {
    const client = await bed.demoPod('client', worker);
    await bed.waitFor(`Services for pods of ${worker}`, async () => {
      const outcome = await bed.connect(client, web, 80);
      if (outcome !== 'connected') return `connecting to ${web}:80: ${outcome}`;
      const name = await bed.resolve(client, 'web.demo.svc.cluster.local');
      return name === web ? true : `web.demo.svc.cluster.local: ${name}`;
    });
  }
};

const installAddOns = async (bed: Bed, say: Say): Promise<void> => {
  const { layout, api } = bed;
  const values = manifestValues(layout);
  const cni = cniOf(layout);
  await bed.apply([...(await readManifest(cni.manifest, values)), ...(await readManifest('kube-proxy', values))]);
  await nodesReady(api, layout);
  say('nodes ready');
  await bed.waitReady(cni.namespace, cni.selector, layout.workers, { timeoutMs: READY_TIMEOUT_MS });
  // Not before: a pod that starts between the CNI's configuration and its agent's first lease is tried again 10 s later.
  await bed.apply([...(await readManifest('coredns', values)), ...(await readManifest('demo', values))]);
  await bed.waitReady('kube-system', 'k8s-app=kube-proxy', layout.workers, { timeoutMs: READY_TIMEOUT_MS });
  say(`${layout.cni} and kube-proxy (${layout.proxyMode}) ready`);
  await bed.waitReady('kube-system', 'k8s-app=kube-dns', Number(values.dnsReplicas), { timeoutMs: READY_TIMEOUT_MS });
  for (const app of ['web', 'client']) await bed.waitReady('demo', `app=${app}`, layout.workers);
  say('CoreDNS and the demo ready');
  await servicesWork(bed);
  say('Services and names work from every worker');
};

/** Lines with the seconds since the start in front. */
const stopwatch = (say: Say): Say => {
  const started = performance.now();
  return (line) => say(`${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}`);
};

/** From nothing to a cluster that works; builds first what the store lacks. The caller closes the bed. */
export const up = async (layout: Layout, say: Say): Promise<Bed> => {
  await checkMachine(layout);
  const built = await build({ withKubeRouter: layout.cni === 'kube-router', say });
  const timed = stopwatch(say);
  await mkdir(layout.folder, { recursive: true });
  await writeFile(join(layout.folder, 'bed.json'), JSON.stringify(layout, null, 1));
  const archives = unpackImages(layout, built);
  archives.catch(() => {}); // seen where it is awaited
  await Promise.all([unpackPrograms(layout, built), makePki(layout), makeFabric(layout)]);
  await Promise.all(layout.hosts.map((host) => startHost(layout, host)));
  timed('fabric and hosts');
  const importing = Promise.all(
    layout.workerNames.map(async (worker) => {
      await startContainerd(layout, worker);
      return importImages(layout, worker, await archives);
    }),
  );
  importing.catch(() => {}); // seen where it is awaited
  await startUpstreamDns(layout, programOf(layout, 'coredns'));
  const server = [programOf(layout, 'agnhost'), 'netexec', '--http-port=8080', '--udp-port=8081'];
  await startDaemon(layout, OUTSIDE, { name: 'server', argv: server });
  const api = await startControlPlane(layout, (name) => programOf(layout, name));
  timed('control plane ready');
  const [references] = await importing;
  for (const reference of references!.filter(
    (each) => !each.startsWith(`${REGISTRY}/`) && !each.startsWith('sha256:'),
  )) {
    timed(`imported ${reference}`);
  }
  await Promise.all(layout.workerNames.map((worker) => startKubelet(layout, worker, programOf(layout, 'kubelet'))));
  timed('images imported, kubelets started');
  const bed = new Bed(layout, api);
  await installAddOns(bed, timed);
  return bed;
};
