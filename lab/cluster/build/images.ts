import { mkdtemp, readdir, readFile, readlink, realpath, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { output } from '../../command.ts';
import { Layer } from './layer.ts';
import { type Image, writeOciArchive } from './oci-archive.ts';
import { versionOf } from './recipe.ts';
import { isStored, loadStored, sha256, store, storeKey } from './store.ts';

/** The lab's own images: never pulled, only imported, so the name needs no registry. */
export const REGISTRY = 'podtriage.lab';

export const IMAGES = {
  pause: `${REGISTRY}/pause:1`,
  client: `${REGISTRY}/client:1`,
  agnhost: `${REGISTRY}/agnhost:1`,
  kubeProxy: `${REGISTRY}/kube-proxy:${versionOf('kubernetes')}`,
  flannel: `${REGISTRY}/flannel:${versionOf('flannel')}`,
  coredns: `${REGISTRY}/coredns:${versionOf('coredns')}`,
  kubeRouter: `${REGISTRY}/kube-router:${versionOf('kube-router')}`,
} as const;

/** What a person would want in a container for the network, and what kube-proxy, flannel and kube-router call. */
const TOOLS = [
  ...['bash', 'dash', 'env', 'timeout', 'nohup', 'setsid', 'nsenter', 'unshare', 'xargs', 'find', 'ps', 'jq'],
  ...['ip', 'ss', 'bridge', 'tc', 'ethtool', 'nft', 'ipset', 'conntrack', 'modprobe', 'sysctl', 'tini'],
  ...['ping', 'tracepath', 'arping', 'mtr', 'curl', 'dig', 'tcpdump', 'socat'],
];

const FAMILIES = ['ip', 'ip6'];
const IPTABLES_COMMANDS = ['tables', 'tables-save', 'tables-restore'];

/** Both backends side by side; `/opt/iptables-<backend>` first on PATH chooses one, as a distribution's alternatives do. */
const addIptables = async (layer: Layer): Promise<void> => {
  for (const backend of ['nft', 'legacy']) {
    const multi = `xtables-${backend}-multi`;
    await layer.program(multi, '/usr/sbin');
    for (const family of FAMILIES) {
      for (const name of IPTABLES_COMMANDS) {
        await layer.link(`/opt/iptables-${backend}/${family}${name}`, `/usr/sbin/${multi}`);
        await layer.link(`/usr/sbin/${family}${name.replace('tables', `tables-${backend}`)}`, multi);
        if (backend === 'nft') await layer.link(`/usr/sbin/${family}${name}`, multi);
      }
    }
  }
  const triplet = (await readdir('/usr/lib')).find((name) => name.endsWith('-linux-gnu'));
  const folder = `/usr/lib/${triplet}/xtables`;
  for (const name of (await readdir(folder)).sort()) {
    const path = join(folder, name);
    const target = await readlink(path).catch(() => undefined);
    if (target === undefined) await layer.copy(path, path);
    else await layer.link(path, target);
  }
};

const PASSWD = [
  'root:x:0:0:root:/root:/bin/sh',
  'nobody:x:65534:65534:nobody:/:/bin/sh',
  'tcpdump:x:65533:65534::/:/bin/sh', // tcpdump gives up root for this user and does not start without it
];

const addBusybox = async (layer: Layer): Promise<void> => {
  await layer.program('busybox');
  // Not busybox's own shell: it runs its own ip and ping even where the real ones are on PATH.
  await layer.link('/usr/bin/sh', 'dash');
  for (const applet of (await output(['busybox', '--list'])).split('\n').filter(Boolean)) {
    await layer.link(`/usr/bin/${applet}`, 'busybox');
  }
};

/** The layer that most images share: a small userland with this machine's own network tools. */
const baseLayer = async (): Promise<Buffer> => {
  const layer = new Layer();
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
    await layer.folder(`usr/${folder}`);
    await layer.link(folder, `usr/${folder}`);
  }
  for (const folder of ['etc', 'run', 'var/run', 'root', 'proc', 'sys', 'dev']) await layer.folder(folder);
  await layer.folder('tmp', 0o1777);
  for (const tool of TOOLS) await layer.program(tool);
  await addIptables(layer);
  for (const file of ['/etc/protocols', '/etc/services', '/etc/ethertypes']) {
    await layer.copy(file, file, 0o644).catch(() => {}); // numbers serve as well as names
  }
  await layer.text('/etc/nsswitch.conf', 'passwd: files\ngroup: files\nhosts: files dns\n');
  await layer.text('/etc/passwd', `${PASSWD.join('\n')}\n`);
  await layer.text('/etc/group', 'root:x:0:\nnogroup:x:65534:\n');
  await addBusybox(layer);
  return layer.finish();
};

/** Reads a built program by its name. */
export type LoadProgram = (name: string) => Promise<Buffer>;

const layerOf = async (load: LoadProgram, programs: Readonly<Record<string, string>>): Promise<Buffer> => {
  const layer = new Layer();
  for (const [path, name] of Object.entries(programs)) await layer.file(path, await load(name));
  return layer.finish();
};

const allImages = async (load: LoadProgram, withKubeRouter: boolean): Promise<readonly Image[]> => {
  const base = await baseLayer();
  const flannel = {
    '/opt/bin/flanneld': 'flanneld',
    '/opt/bin/install-conf': 'install-conf',
    '/flannel': 'cni-flannel',
  };
  const images: Image[] = [
    { reference: IMAGES.pause, layers: [await layerOf(load, { '/pause': 'pause' })], entrypoint: ['/pause'] },
    // As the first process of its namespace, sleep alone would ignore being told to end.
    { reference: IMAGES.client, layers: [base], entrypoint: ['tini', '--', 'sleep', 'infinity'] },
    { reference: IMAGES.kubeProxy, layers: [base, await layerOf(load, { '/usr/local/bin/kube-proxy': 'kube-proxy' })] },
    { reference: IMAGES.flannel, layers: [base, await layerOf(load, flannel)] },
    { reference: IMAGES.coredns, layers: [await layerOf(load, { '/coredns': 'coredns' })], entrypoint: ['/coredns'] },
    {
      reference: IMAGES.agnhost,
      layers: [base, await layerOf(load, { '/agnhost': 'agnhost' })],
      entrypoint: ['/agnhost'],
    },
  ];
  if (withKubeRouter) {
    const own = await layerOf(load, { '/usr/local/bin/kube-router': 'kube-router' });
    images.push({ reference: IMAGES.kubeRouter, layers: [base, own] });
  }
  return images;
};

/** What the base layer is made from: path, size and time of every tool of this machine. */
const fingerprintOfTools = async (): Promise<string> => {
  const names = [...TOOLS, 'busybox', 'xtables-nft-multi', 'xtables-legacy-multi'];
  const script = 'PATH=/usr/sbin:/usr/bin:/sbin:/bin; for n; do command -v "$n" || echo "-"; done';
  const paths = (await output(['sh', '-c', script, 'sh', ...names])).trim().split('\n');
  const described = paths.map(async (path) => {
    if (path === '-') return path;
    const { size, mtimeMs } = await stat(await realpath(path));
    return `${path} ${size} ${mtimeMs}`;
  });
  return sha256((await Promise.all(described)).join('\n'));
};

const ownText = async (): Promise<string> => {
  const files = ['images.ts', 'layer.ts', 'oci-archive.ts'];
  return sha256((await Promise.all(files.map((f) => readFile(join(import.meta.dirname, f), 'utf8')))).join(''));
};

export const ARCHIVE = 'images.tar';

/** The folder of the store with the archive of all images, packed unless it is there. */
export const packImages = async (
  programKeys: Readonly<Record<string, string>>,
  withKubeRouter: boolean,
  say: (line: string) => void,
): Promise<string> => {
  const madeFrom = { programKeys, withKubeRouter, tools: await fingerprintOfTools(), text: await ownText() };
  const key = storeKey('images', withKubeRouter ? 'kube-router' : 'flannel', madeFrom);
  if (await isStored(key)) return key;
  const started = performance.now();
  const folder = await mkdtemp(join(tmpdir(), 'podtriage-images-'));
  try {
    const load: LoadProgram = (name) => loadStored(programKeys[name]!, name);
    await writeOciArchive(join(folder, ARCHIVE), await allImages(load, withKubeRouter));
    const { size } = await stat(join(folder, ARCHIVE));
    await store(key, { [ARCHIVE]: join(folder, ARCHIVE) });
    say(`packed images in ${((performance.now() - started) / 1000).toFixed(0)} s, ${(size / 1e6).toFixed(0)} MB`);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return key;
};
