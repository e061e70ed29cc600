import { readdir, readFile } from 'node:fs/promises';
import { findCgroups } from '../../lab/cluster/cgroups.ts';
import { prefixOf } from '../../lab/cluster/layout.ts';
import { output } from '../../lab/command.ts';

/** What a bed could leave on a machine. */
export type Inventory = Readonly<
  Record<'processes' | 'namespaces' | 'mounts' | 'devices' | 'cgroups', readonly string[]>
>;

const processes = async (): Promise<readonly string[]> => {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const named = pids.map(async (pid) => {
    const words = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0').filter(Boolean);
    return words.length > 0 ? [`${pid} ${words.join(' ').slice(0, 120)}`] : []; // a kernel thread or a zombie has none
  });
  return (await Promise.all(named)).flat();
};

/** Namespaces that some process holds, of every kind. */
const heldNamespaces = async (): Promise<readonly string[]> => {
  const text = await output(['lsns', '--noheadings', '--output', 'NS,TYPE,COMMAND']);
  return text.split('\n').filter((line) => line && !/ lsns/.test(line));
};

/** Of a bed of this name, and of the machine as far as this mount and PID namespace sees it. */
export const takeInventory = async (bed: string): Promise<Inventory> => {
  const links = JSON.parse((await output(['ip', '-j', 'link', 'show'])) || '[]') as { ifname: string }[];
  const mounts = (await readFile('/proc/self/mountinfo', 'utf8')).split('\n').filter(Boolean);
  return {
    processes: await processes(),
    namespaces: [...(await heldNamespaces()), ...(await readdir('/run/netns').catch(() => []))],
    mounts: mounts.map((line) => line.split(' ').slice(3, 5).join(' ')),
    devices: links.map((link) => link.ifname),
    cgroups: await findCgroups(prefixOf(bed)),
  };
};

const added = (before: readonly string[], after: readonly string[]): readonly string[] => {
  const known = new Set(before);
  return after.filter((each) => !known.has(each));
};

/** What is there now and was not before, one line each. */
export const inventoryAdded = (before: Inventory, after: Inventory): readonly string[] =>
  (Object.keys(after) as (keyof Inventory)[]).flatMap((kind) =>
    added(before[kind], after[kind]).map((each) => `${kind}: ${each}`),
  );
