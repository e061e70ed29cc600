import { createHash } from 'node:crypto';
import { readFile, rm } from 'node:fs/promises';
import { type DebianPackage, downloadPackages, readPackage, resolvePackages } from './debian-packages.ts';
import { cachedLayer, type Layer, type LayerEntry, writeLayer } from './layer.ts';

/** The tools that collectors, probes and captures run, and what the node binary links. */
const PACKAGES = [
  'bsdutils',
  'conntrack',
  'coreutils',
  'dash',
  'ethtool',
  'findutils',
  'grep',
  'iproute2',
  'ipset',
  'iptables',
  'iputils-ping',
  'ipvsadm',
  'libstdc++6',
  'mount',
  'mtr-tiny',
  'nftables',
  'socat',
  'tcpdump',
  'util-linux',
  'wireguard-tools',
];

/** Of these packages, only what the helper's scripts and a person looking around need. */
const ONLY: Readonly<Record<string, RegExp>> = {
  bsdutils: /^usr\/(bin\/script|share\/doc\/bsdutils\/copyright)$/,
  coreutils: /^usr\/(bin\/(cat|env|ls|nice|sleep|stty|timeout)|share\/doc\/coreutils\/copyright)$/,
  findutils: /^usr\/(bin\/xargs|share\/doc\/findutils\/copyright)$/,
};

/** Pulled in by maintainer scripts and logins, which an image without either does not have. */
const NOT_NEEDED = new Set([
  'adduser',
  'debconf',
  'debianutils',
  'dpkg',
  'libdb5.3',
  'libpam-modules',
  'libpam-modules-bin',
  'libsemanage-common',
  'libsemanage2',
  'libsepol2',
  'passwd',
  'tar',
]);

/** Documentation, translations, services; each package's copyright file stays, as its licence asks. */
const LEFT_OUT = [
  /^usr\/share\/(man|locale|lintian|bash-completion|info|bug|menu|doc-base|gdb|zsh|perl5|polkit-1|apport)(\/|$)/,
  /^usr\/share\/doc\/[^/]+\/(?!copyright$)/,
  /^usr\/lib\/(systemd|udev|modules-load\.d|tmpfiles\.d|sysusers\.d|python3)(\/|$)/,
  /^usr\/lib\/[^/]+\/(gconv|perl5|audit)(\/|$)/,
  /^etc\/(init\.d|cron|apparmor\.d|default|pam\.d|security|logrotate\.d)/,
];

/** bpftrace needs LLVM and clang: 58 MB of packages, more than all the rest. */
const BPFTRACE = 'bpftrace';

export interface BaseOptions {
  readonly withBpftrace: boolean;
  readonly cache: string;
  readonly say: (line: string) => void;
}

/** Debian's libraries and node tools, without a registry: package files unpacked into one layer, kept by recipe and versions. */
export async function baseLayer(options: BaseOptions): Promise<Layer> {
  const wanted = options.withBpftrace ? [...PACKAGES, BPFTRACE] : PACKAGES;
  const packages = (await resolvePackages(wanted)).filter((one) => !NOT_NEEDED.has(one.name));
  const file = `${options.cache}/debian-${await recipeKey(packages)}.tar.gz`;
  const cached = await cachedLayer(file);
  if (cached) return cached;
  options.say(`fetching ${packages.length} Debian packages for the base layer`);
  const downloads = `${options.cache}/download-${process.pid}`;
  try {
    const files = await downloadPackages(packages, downloads);
    return await writeLayer(file, await unpackAll(packages, files));
  } finally {
    await rm(downloads, { recursive: true, force: true });
  }
}

async function unpackAll(
  packages: readonly DebianPackage[],
  files: readonly string[],
): Promise<Map<string, LayerEntry>> {
  const entries = skeleton();
  for (const [index, file] of files.entries()) {
    const only = ONLY[packages[index]!.name];
    for (const [path, entry] of await readPackage(file)) {
      if (only && (entry.type === 'directory' || !only.test(path))) continue;
      if (!LEFT_OUT.some((one) => one.test(path)) && !entries.has(path)) entries.set(path, entry);
    }
  }
  linkIptables(entries);
  return entries;
}

/** What maintainer scripts or base-files would make. */
function skeleton(): Map<string, LayerEntry> {
  const text = (content: string): LayerEntry => ({ type: 'file', mode: 0o644, content: Buffer.from(content) });
  const entries = new Map<string, LayerEntry>();
  for (const merged of ['bin', 'sbin', 'lib', 'lib64'])
    entries.set(merged, { type: 'symlink', target: `usr/${merged}` });
  for (const empty of ['dev', 'proc', 'sys', 'run', 'root']) entries.set(empty, { type: 'directory', mode: 0o755 });
  entries.set('tmp', { type: 'directory', mode: 0o1777 });
  // tcpdump gives up its rights to a user of its own name where there is one.
  entries.set(
    'etc/passwd',
    text('root:x:0:0:root:/root:/bin/sh\ntcpdump:x:100:65534::/nonexistent:/usr/sbin/nologin\n'),
  );
  entries.set('etc/group', text('root:x:0:\nnogroup:x:65534:\n'));
  // The node's own /etc/hosts and resolv.conf are mounted over these by the runtime.
  entries.set(
    'etc/nsswitch.conf',
    text('passwd: files\ngroup: files\nhosts: files dns\nservices: files\nprotocols: files\n'),
  );
  return entries;
}

/** Debian's alternatives: the nft backend under the plain names; the legacy one keeps its own. */
function linkIptables(entries: Map<string, LayerEntry>): void {
  for (const tool of ['iptables', 'ip6tables']) {
    for (const suffix of ['', '-save', '-restore']) {
      entries.set(`usr/sbin/${tool}${suffix}`, { type: 'symlink', target: `${tool}-nft${suffix}` });
    }
  }
}

async function recipeKey(packages: readonly DebianPackage[]): Promise<string> {
  const hash = createHash('sha256');
  for (const source of ['base-layer.ts', 'debian-packages.ts', 'layer.ts']) {
    hash.update(await readFile(new URL(source, import.meta.url)));
  }
  for (const one of packages) hash.update(`${one.name}=${one.version}:${one.architecture}\n`);
  return hash.digest('hex').slice(0, 16);
}
