import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/** One mounted cgroup hierarchy, and where this process is in it. */
interface Hierarchy {
  readonly version: 1 | 2;
  readonly controllers: readonly string[];
  /** Folder of this process's own cgroup. */
  readonly own: string;
  readonly mount: string;
}

/** `9:name=systemd:/a` → the folder of that cgroup, given where each hierarchy is mounted (proc(5), cgroups(7)). */
export const parseHierarchies = (cgroup: string, mountinfo: string): readonly Hierarchy[] => {
  const mounts = mountinfo.split('\n').flatMap((line) => {
    const match = /^\S+ \S+ \S+ (?<root>\S+) (?<at>\S+) .* - (?<type>cgroup2?) \S+ (?<options>\S+)$/.exec(line);
    return match ? [match.groups as { root: string; at: string; type: string; options: string }] : [];
  });
  return cgroup.split('\n').flatMap((line): readonly Hierarchy[] => {
    const match = /^\d+:(?<controllers>[^:]*):(?<path>.*)$/.exec(line);
    if (!match) return [];
    const { controllers, path } = match.groups as { controllers: string; path: string };
    const wanted = controllers.split(',').filter(Boolean);
    const mount = mounts.find((m) =>
      wanted.length === 0 ? m.type === 'cgroup2' : m.type === 'cgroup' && m.options.split(',').includes(wanted[0]!),
    );
    if (!mount) return [];
    const below = mount.root === '/' ? path : path.slice(mount.root.length);
    return [
      {
        version: wanted.length === 0 ? 2 : 1,
        controllers: wanted,
        own: resolve(mount.at, `./${below}`),
        mount: mount.at,
      },
    ];
  });
};

const hierarchies = async (): Promise<readonly Hierarchy[]> =>
  parseHierarchies(await readFile('/proc/self/cgroup', 'utf8'), await readFile('/proc/self/mountinfo', 'utf8'));

/** A v1 cpuset without processors accepts no process: it starts with its parent's. */
const inheritCpuset = async (parent: string, child: string): Promise<void> => {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    await writeFile(join(child, file), await readFile(join(parent, file)));
  }
};

const delegateControllers = async (parent: string): Promise<void> => {
  for (const controller of ['cpu', 'cpuset', 'io', 'memory', 'pids']) {
    await writeFile(join(parent, 'cgroup.subtree_control'), `+${controller}`).catch(() => {});
  }
};

/**
 * Makes a cgroup of this name in every hierarchy: below our own where that is v1; at the top of a pure v2 one, since a
 * v2 cgroup with processes cannot hand controllers down (cgroup-v2.rst, "No Internal Process Constraint").
 */
export const makeCgroups = async (name: string): Promise<readonly string[]> => {
  const all = await hierarchies();
  const pure = all.every((h) => h.version === 2);
  const folders: string[] = [];
  for (const hierarchy of all) {
    const parent = pure ? hierarchy.mount : hierarchy.own;
    const folder = join(parent, name);
    if (pure) await delegateControllers(parent);
    await mkdir(folder, { recursive: true });
    if (hierarchy.controllers.includes('cpuset')) await inheritCpuset(parent, folder);
    folders.push(folder);
  }
  return folders;
};

const MAX_DEPTH = 6;

const findBelow = async (folder: string, prefix: string, depth: number): Promise<readonly string[]> => {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const found: string[] = [];
  for (const entry of entries) {
    if (!entry.isDirectory()) continue;
    const path = join(folder, entry.name);
    if (entry.name.startsWith(prefix)) found.push(path);
    else if (depth > 1) found.push(...(await findBelow(path, prefix, depth - 1)));
  }
  return found;
};

/** Cgroups whose name begins so, wherever they are: a bed may have been started from another cgroup than ours. */
export const findCgroups = (prefix: string): Promise<readonly string[]> =>
  findBelow('/sys/fs/cgroup', prefix, MAX_DEPTH);

/** Removes a cgroup and all below it; one that still has processes stays. */
export const removeCgroup = async (folder: string): Promise<void> => {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await removeCgroup(join(folder, entry.name));
  }
  await rmdir(folder).catch(() => {});
};

/** Processes whose cgroup path has a part that begins so. */
export const processesIn = async (prefix: string): Promise<readonly number[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number);
  const belongs = pids.map(async (pid) => {
    const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(() => '');
    return text.includes(`/${prefix}`);
  });
  const answers = await Promise.all(belongs);
  return pids.filter((_, i) => answers[i]);
};
