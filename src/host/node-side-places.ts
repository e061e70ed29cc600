import { statSync } from 'node:fs';
import { namespaceInode, readSandboxes } from '../agent/sandboxes.ts';
import { type Place, placeKey } from '../net/place.ts';
import type { PodSandbox, Sandboxes } from '../parse/sandboxes.ts';
import type { Request } from './host.ts';
import type { GapDetail } from './node-side-gap.ts';
import type { RunPlace } from './node-side-run.ts';

/** How one node is reached on this machine. */
export interface NodeAccess {
  /** The node's /proc. */
  readonly procRoot: string;
  /** Its own network namespace, by a path. */
  readonly hostNetwork: string;
  /** The node's root directory. */
  readonly root: string;
  /** More options of nsenter(1) for its tools, where the node is not this machine. */
  readonly enter: readonly string[];
  /** Namespaces known by a path (`/run/netns/x`, `/proc/PID/ns/net`) instead of by a pod's uid; keys are `placeKey`s. */
  readonly namespaces?: Readonly<Record<string, string>>;
}

export interface Places {
  sandboxes(): Sandboxes;
  /** Where this request's tools run. */
  networkOf(request: Request): RunPlace | GapDetail;
  /** The root directory of a container of the pod that the request names. */
  containerRootOf(request: Request): string | GapDetail;
}

/** A pod that starts or moves is found by asking again; between two questions of one batch nothing is gained by it. */
const SANDBOXES_FRESH_MS = 1_000;

export function createPlaces(access: NodeAccess, nowMs: () => number): Places {
  const read = (): Sandboxes => readSandboxes(access.procRoot, inodeOf(access.hostNetwork) ?? 0);
  let seen: { readonly sandboxes: Sandboxes; readonly atMs: number } | undefined;
  const sandboxes = (maxAgeMs: number): Sandboxes => {
    if (!seen || nowMs() - seen.atMs > maxAgeMs) seen = { sandboxes: read(), atMs: nowMs() };
    return seen.sandboxes;
  };
  const findPod = (uid: string): PodSandbox | undefined => {
    const has = (pod: PodSandbox): boolean => pod.uid === uid;
    return sandboxes(SANDBOXES_FRESH_MS).pods.find(has) ?? sandboxes(SANDBOXES_FRESH_MS / 5).pods.find(has);
  };
  const ownInode = namespaceInode('/proc', 'self');
  const at = (net: string): RunPlace =>
    access.enter.length === 0 && inodeOf(net) === ownInode ? { enter: [] } : { net, enter: access.enter };

  return {
    sandboxes: () => sandboxes(SANDBOXES_FRESH_MS),
    networkOf(request) {
      const path = access.namespaces?.[placeKey(request.place)];
      if (path !== undefined) return at(path);
      if (request.place.namespace === 'host') return at(access.hostNetwork);
      const pod = podOf(request, findPod);
      if ('gap' in pod) return pod;
      const net = `${access.procRoot}/${pod.containers[0]?.pid ?? pod.pids[0]}/ns/net`;
      // A pid can have become another process's since it was looked up.
      if (inodeOf(net) === pod.networkNamespace) return at(net);
      return { gap: 'unreachable', detail: `the network namespace of ${describe(request.place)} is gone` };
    },
    containerRootOf(request) {
      if (request.place.namespace === 'host' && request.podUid === undefined) return access.root;
      const pod = podOf(request, findPod);
      if ('gap' in pod) return pod;
      const pid = pod.containerPid;
      if (pid !== undefined) return `${access.procRoot}/${pid}/root`;
      return { gap: 'unreachable', detail: `${describe(request.place)} runs no container but the pause container` };
    },
  };
}

function podOf(request: Request, findPod: (uid: string) => PodSandbox | undefined): PodSandbox | GapDetail {
  if (request.podUid === undefined) {
    return { gap: 'unreachable', detail: `the request for ${describe(request.place)} names no pod uid` };
  }
  const pod = findPod(request.podUid);
  if (pod) return pod;
  return {
    gap: 'unreachable',
    detail: `no process of ${describe(request.place)} (uid ${request.podUid}) runs on node ${request.place.node}`,
  };
}

function describe(place: Place): string {
  return place.namespace;
}

function inodeOf(path: string): number | undefined {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
}
