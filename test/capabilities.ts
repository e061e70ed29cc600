import { existsSync } from 'node:fs';
import { compareVersions, findGo } from '../lab/cluster/build/go-tool.ts';
import { OLDEST_GO } from '../lab/cluster/build/recipe.ts';
import { type CommandResult, command } from '../lab/command.ts';

/** What a test may need of the machine. A test that needs more than Node names its needs by these words. */
export type Capability =
  | 'root'
  | 'apt'
  | 'go>=1.24'
  | 'netns'
  | 'bridge'
  | 'vxlan'
  | 'br_netfilter'
  | 'iptables-nft'
  | 'iptables-legacy'
  | 'nft'
  | 'ipset'
  | 'python3'
  | 'containerd';

/** For each capability nothing where it is there, otherwise why not. */
export type Capabilities = Readonly<Record<Capability, string | undefined>>;

/** Set by the test runner, which has probed already, for the suites that it starts. */
const HANDED_DOWN = 'PODTRIAGE_CAPABILITIES';

const complaint = ({ code, stderr }: CommandResult): string | undefined =>
  code === 0 ? undefined : (stderr.trim().split('\n')[0] ?? `exit ${code}`);

/** Tries a shell line in a network namespace that ends with it. */
const inNamespace = async (line: string): Promise<string | undefined> => {
  return complaint(await command(['unshare', '--net', 'sh', '-c', line], { timeoutMs: 10_000 }));
};

const probes: Readonly<Record<Capability, () => string | undefined | Promise<string | undefined>>> = {
  root: () => (process.getuid?.() === 0 ? undefined : 'not root'),
  apt: () => (existsSync('/usr/bin/apt-get') ? undefined : 'no apt-get: not a Debian'),
  'go>=1.24': async () => {
    const go = await findGo();
    if (!go) return `no Go on PATH or in /usr/local/go: building Kubernetes needs ${OLDEST_GO}`;
    if (compareVersions(go.version, OLDEST_GO) >= 0) return undefined;
    return `Go is ${go.version} (${go.path}), building Kubernetes needs ${OLDEST_GO}`;
  },
  netns: () => inNamespace('ip link set lo up'),
  bridge: () => inNamespace('ip link add name b0 type bridge'),
  vxlan: () => inNamespace('ip link add name x0 type vxlan id 1 dstport 8472'),
  br_netfilter: () => inNamespace('test -e /proc/sys/net/bridge/bridge-nf-call-iptables'),
  'iptables-nft': () => inNamespace('iptables-nft -A FORWARD -m conntrack --ctstate NEW -j ACCEPT'),
  'iptables-legacy': () => inNamespace('iptables-legacy -A FORWARD -m conntrack --ctstate NEW -j ACCEPT'),
  nft: () => inNamespace('nft add table inet t'),
  ipset: () => inNamespace('ipset create s hash:ip'),
  python3: async () => complaint(await command(['python3', '-c', 'import ctypes, select, socket'])),
  containerd: async () => complaint(await command(['sh', '-c', 'command -v containerd runc ctr tini etcd'])),
};

const probeAll = async (): Promise<Capabilities> => {
  const names = Object.keys(probes) as Capability[];
  const answers = names.map(async (name) => {
    const because = await Promise.resolve(probes[name]()).catch((error: Error) => error.message);
    return [name, because] as const;
  });
  return Object.fromEntries(await Promise.all(answers)) as Capabilities;
};

let probed: Promise<Capabilities> | undefined;

/** What this machine can do: probed once, by the first process that asks, for itself and all that it starts. */
export const capabilities = (): Promise<Capabilities> => {
  const handed = process.env[HANDED_DOWN];
  probed ??= handed === undefined ? probeAll() : Promise.resolve(JSON.parse(handed) as Capabilities);
  return probed;
};

/** The environment that hands the answers down to a process. */
export const handDown = (can: Capabilities): Readonly<Record<string, string>> => ({
  [HANDED_DOWN]: JSON.stringify(can),
});

/** Why a test with these needs cannot run here, in one line; undefined where it can. */
export const lacking = (can: Capabilities, needs: readonly Capability[]): string | undefined => {
  const missing = needs.filter((need) => can[need] !== undefined);
  return missing.length === 0 ? undefined : missing.map((need) => `${need}: ${can[need]}`).join('; ');
};
