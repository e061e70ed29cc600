import { readlinkSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Host, Reply, Request } from './host.ts';
import { createNodeSide, type NodeSide } from './node-side.ts';
import type { NodeAccess } from './node-side-places.ts';
import { createAsyncQueue } from './node-side-queue.ts';

/** One node that this machine can reach by itself. */
export interface LocalNode {
  /** Its first process: the node's namespaces and root directory are those of this process. 1 for this machine. */
  readonly initPid: number;
  /** Network namespaces known by a path instead of by a pod's uid; keys are `placeKey`s (`w1|pod/shop/web`). */
  readonly namespaces?: Readonly<Record<string, string>>;
}

export interface LocalHostOptions {
  /** Nodes by name; without it, this machine under its host name. */
  readonly nodes?: Readonly<Record<string, LocalNode>>;
}

/** This machine, and nodes that are only namespaces on it (a lab's). API requests are not its. */
export function createLocalHost(options: LocalHostOptions = {}): Host {
  const nodes = options.nodes ?? { [hostname()]: { initPid: 1 } };
  const sides = new Map<string, NodeSide>();
  for (const [name, node] of Object.entries(nodes)) sides.set(name, createNodeSide(accessOf(node)));
  return {
    nowMs: Date.now,
    async close() {
      for (const side of sides.values()) side.close();
      return [];
    },
    perform(requests, limits, signal) {
      const replies = createAsyncQueue<Reply>();
      const byNode = Map.groupBy(requests, ({ place }) => place.node);
      const work = [...byNode].map(async ([node, ofNode]) => {
        const side = sides.get(node);
        if (!side) for (const request of ofNode) replies.push(foreign(request, [...sides.keys()]));
        else for await (const reply of side.perform(ofNode, limits, signal)) replies.push(reply);
      });
      void Promise.allSettled(work).then(() => replies.end());
      return replies;
    },
  };
}

function foreign(request: Request, nodes: readonly string[]): Reply {
  const { node } = request.place;
  const detail =
    node === '' ? 'the local host has no API server' : `this machine is ${nodes.join(', ')}, not node ${node}`;
  return { request, startedAtMs: Date.now(), tookMs: 0, got: 'nothing', gap: 'not-supported', detail };
}

/** How a node is reached from here by its first process's pid. */
export function accessOf({ initPid, namespaces }: LocalNode): NodeAccess {
  if (initPid !== 1) {
    const root = `/proc/${initPid}/root`;
    // With its own /proc, so that the pids which its tools tell are the node's.
    const enter = [`--target=${initPid}`, '--mount', '--pid'];
    return {
      procRoot: `${root}/proc`,
      root,
      enter,
      hostNetwork: `/proc/${initPid}/ns/net`,
      ...(namespaces ? { namespaces } : {}),
    };
  }
  const here = { procRoot: '/proc', enter: [], ...(namespaces ? { namespaces } : {}) };
  if (canEnter(1)) return { ...here, root: '/proc/1/root', hostNetwork: '/proc/1/ns/net' };
  // Without rights over process 1 we can still look around as who we are.
  return { ...here, root: '/', hostNetwork: '/proc/self/ns/net' };
}

function canEnter(pid: number): boolean {
  try {
    readlinkSync(`/proc/${pid}/ns/net`);
    return true;
  } catch {
    return false;
  }
}
