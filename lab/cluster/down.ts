import { existsSync } from 'node:fs';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { command, output } from '../command.ts';
import { waitFor } from '../wait-for.ts';
import { findCgroups, processesIn, removeCgroup } from './cgroups.ts';
import { prefixOf, stateRoot } from './layout.ts';

const END_TIMEOUT_MS = 20_000;

const kill = (pid: number): void => {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
};

/** Whatever is in the bed's cgroups: the first process of a host takes all others of it along. */
const endProcesses = (prefix: string): Promise<void> =>
  waitFor(
    `the end of the processes in cgroups ${prefix}*`,
    async () => {
      const pids = (await processesIn(prefix)).filter((pid) => pid !== process.pid);
      for (const pid of pids) kill(pid);
      return pids.length === 0 ? true : `processes ${pids.slice(0, 10).join(' ')}`;
    },
    { timeoutMs: END_TIMEOUT_MS, everyMs: 50 },
  );

const namespaces = async (prefix: string): Promise<readonly string[]> => {
  const names = await readdir('/run/netns').catch(() => []);
  return names.filter((name) => name.startsWith(prefix));
};

const removeNamespaces = async (prefix: string): Promise<void> => {
  for (const name of await namespaces(prefix)) {
    const { code } = await command(['ip', 'netns', 'delete', name]);
    // A file without a namespace mounted on it: what is left of an interrupted `ip netns add`.
    if (code !== 0) await rm(join('/run/netns', name), { force: true });
  }
};

const removeShellDevice = async (device: string): Promise<void> => {
  const links = JSON.parse((await output(['ip', '-j', 'link', 'show'])) || '[]') as { ifname: string }[];
  if (links.some((link) => link.ifname === device)) await command(['ip', 'link', 'delete', device]);
};

/** What a bed of this name still has on this machine, one line each; empty when it is down. */
export const leftovers = async (name: string): Promise<readonly string[]> => {
  const prefix = `${prefixOf(name)}-`;
  const links = JSON.parse((await output(['ip', '-j', 'link', 'show'])) || '[]') as { ifname: string }[];
  const state = join(stateRoot(), name);
  return [
    ...(await processesIn(prefix)).map((pid) => `process ${pid}`),
    ...(await namespaces(prefix)).map((each) => `network namespace ${each}`),
    ...(await findCgroups(prefix)).map((folder) => `cgroup ${folder}`),
    ...links.filter((link) => link.ifname === prefixOf(name)).map((link) => `device ${link.ifname}`),
    ...(existsSync(state) ? [`folder ${state}`] : []),
  ];
};

/**
 * Removes all of a bed, found by its name alone: also one whose `up` was killed. Its mounts go with its hosts' own
 * mount namespaces. Fails with what is left, if anything is.
 */
export const down = async (name: string): Promise<void> => {
  const prefix = `${prefixOf(name)}-`;
  await endProcesses(prefix);
  await removeNamespaces(prefix);
  await removeShellDevice(prefixOf(name));
  const gone = async (): Promise<true | string> => {
    for (const folder of await findCgroups(prefix)) await removeCgroup(folder);
    await rm(join(stateRoot(), name), { recursive: true, force: true });
    const left = await leftovers(name);
    return left.length === 0 ? true : left.slice(0, 5).join(', ');
  };
  await waitFor(`the removal of bed ${name}`, gone, { timeoutMs: END_TIMEOUT_MS, everyMs: 100 });
};

/** Names of the beds that this machine has something of. */
export const beds = async (): Promise<readonly string[]> => {
  const stated = await readdir(stateRoot()).catch(() => []);
  const named = (await namespaces('pt-')).flatMap((each) => /^pt-(?<name>[a-z0-9]+)-/.exec(each)?.groups?.name ?? []);
  return [...new Set([...stated, ...named])].sort();
};
