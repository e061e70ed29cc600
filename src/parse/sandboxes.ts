import { excerpt, isObject, type JsonObject, numberOf, parseJsonItems, stringOf } from './json-items.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: the JSON of `Sandboxes`, made by podtriage's own node side.
 * Source of truth: the types below.
 * Versions seen: podtriage 0.1.
 * Not understood: a pod without uid or namespace is unparsed and loses no other.
 */

/** Which processes belong to which pod on a node, read from /proc/PID/cgroup by the node side. */
export interface PodSandbox {
  readonly uid: string;
  /** Inode of the network namespace (the number in `net:[4026531840]`). */
  readonly networkNamespace: number;
  readonly pids: readonly number[];
  /** Pid of a process that is not the pause process, where there is one: its /etc/resolv.conf is the application's. */
  readonly containerPid?: number;
  readonly containers: readonly {
    readonly id: string;
    readonly pid: number;
    readonly command: string;
    readonly uid: number;
  }[];
}

export interface Sandboxes {
  readonly hostNetworkNamespace: number;
  readonly pods: readonly PodSandbox[];
}

export function parseSandboxes(text: string): Parsed<Sandboxes> {
  const items = parseJsonItems(text);
  const document = items.value[0] ?? {};
  const unparsed: UnparsedLine[] = [...items.unparsed];
  const hostNetworkNamespace = numberOf(document.hostNetworkNamespace);
  if (hostNetworkNamespace === undefined || !Array.isArray(document.pods)) {
    unparsed.push({ line: 0, text: excerpt(document) });
  }
  const pods: PodSandbox[] = [];
  for (const raw of Array.isArray(document.pods) ? document.pods : []) {
    const pod = isObject(raw) ? podOf(raw) : undefined;
    if (pod) pods.push(pod);
    else unparsed.push({ line: 0, text: excerpt(raw) });
  }
  return { value: { hostNetworkNamespace: hostNetworkNamespace ?? 0, pods }, unparsed };
}

function podOf(raw: JsonObject): PodSandbox | undefined {
  const uid = stringOf(raw.uid);
  const networkNamespace = numberOf(raw.networkNamespace);
  const containers = (Array.isArray(raw.containers) ? raw.containers : []).map(containerOf);
  if (uid === undefined || networkNamespace === undefined || containers.includes(undefined)) return undefined;
  const containerPid = numberOf(raw.containerPid);
  return {
    uid,
    networkNamespace,
    pids: (Array.isArray(raw.pids) ? raw.pids : []).map(numberOf).filter((pid) => pid !== undefined),
    ...(containerPid !== undefined && { containerPid }),
    containers: containers.filter((container) => container !== undefined),
  };
}

function containerOf(raw: unknown): PodSandbox['containers'][number] | undefined {
  if (!isObject(raw)) return undefined;
  const id = stringOf(raw.id);
  const pid = numberOf(raw.pid);
  if (id === undefined || pid === undefined) return undefined;
  return { id, pid, command: stringOf(raw.command) ?? '', uid: numberOf(raw.uid) ?? 0 };
}
