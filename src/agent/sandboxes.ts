import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import type { PodSandbox, Sandboxes } from '../parse/sandboxes.ts';
import { type CgroupMember, parseCgroupFile } from './cgroup.ts';

interface PodProcess extends CgroupMember {
  readonly pid: number;
  readonly networkNamespace: number;
  /** Clock ticks since boot (proc_pid_stat(5), field 22). */
  readonly startedTicks: number;
  readonly command: string;
  readonly userId: number;
}

/**
 * Which processes belong to which pod, from `/proc/PID/cgroup` of a node's /proc. `hostNetworkNamespace`: its inode. Reads synchronously: these files
 * never wait, and some 20 µs each is less than what a promise costs. Processes that end meanwhile are left out.
 */
export function readSandboxes(procRoot: string, hostNetworkNamespace: number): Sandboxes {
  const pods = new Map<string, PodProcess[]>();
  for (const pid of pidsOf(procRoot)) {
    const one = readProcess(procRoot, pid);
    if (!one) continue;
    const processes = pods.get(one.uid) ?? [];
    if (processes.length === 0) pods.set(one.uid, processes);
    processes.push(one);
  }
  return {
    hostNetworkNamespace,
    pods: [...pods].map(([uid, processes]) => sandboxOf(uid, processes)),
  };
}

/** The pod of which `processes` are all that were found. */
function sandboxOf(uid: string, processes: readonly PodProcess[]): PodSandbox {
  const byAge = processes.toSorted((a, b) => a.startedTicks - b.startedTicks || a.pid - b.pid);
  const containers = firstOfEachContainer(byAge);
  // The pause process holds the pod's namespace; CRI-O runs none, then it is the oldest container's.
  const pause = containers.find(isPause);
  const holder = pause ?? containers[0] ?? byAge[0]!;
  const application = containers.find((one) => one !== pause);
  return {
    uid,
    networkNamespace: holder.networkNamespace,
    pids: byAge.map(({ pid }) => pid),
    ...(application ? { containerPid: application.pid } : {}),
    containers: containers.map(({ container, pid, command, userId }) => ({
      id: container!,
      pid,
      command,
      uid: userId,
    })),
  };
}

function firstOfEachContainer(byAge: readonly PodProcess[]): readonly PodProcess[] {
  const first = new Map<string, PodProcess>();
  for (const one of byAge) {
    if (one.container !== undefined && !first.has(one.container)) first.set(one.container, one);
  }
  return [...first.values()];
}

function isPause({ command }: PodProcess): boolean {
  return command === 'pause' || command === 'pod';
}

function readProcess(procRoot: string, pid: number): PodProcess | undefined {
  const member = parseCgroupFile(readText(`${procRoot}/${pid}/cgroup`));
  if (!member) return undefined;
  const networkNamespace = namespaceInode(procRoot, pid);
  const stat = parseProcessStat(readText(`${procRoot}/${pid}/stat`));
  const userId = /^Uid:\s+(?<real>\d+)/m.exec(readText(`${procRoot}/${pid}/status`))?.groups?.real;
  if (networkNamespace === undefined || !stat || userId === undefined) return undefined;
  return { ...member, ...stat, pid, networkNamespace, userId: Number(userId) };
}

/** The command's name stands in parentheses and may hold any character, so the fields are counted from the last `)`. */
export function parseProcessStat(
  text: string,
): { readonly command: string; readonly startedTicks: number } | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const startedTicks = Number(text.slice(close + 2).split(' ')[19]);
  return Number.isFinite(startedTicks) ? { command: text.slice(open + 1, close), startedTicks } : undefined;
}

export function namespaceInode(procRoot: string, pid: number | 'self'): number | undefined {
  try {
    const inode = /^net:\[(?<inode>\d+)\]$/.exec(readlinkSync(`${procRoot}/${pid}/ns/net`))?.groups?.inode;
    return inode === undefined ? undefined : Number(inode);
  } catch {
    return undefined;
  }
}

function pidsOf(procRoot: string): readonly number[] {
  return readdirSync(procRoot)
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
