import type { OwnTraffic } from '../capture/analyse-capture.ts';
import { dropSightings, isOwnEvent, type KernelDrop, type NodeDrops } from '../capture/drop-sightings.ts';
import type { Reply } from '../host/host.ts';
import { CLUSTER, hostOf, type Place, podPlace } from '../net/place.ts';
import { parseDropEvent, parseDropEvents } from '../parse/drop-events.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/** What the nodes' kernels dropped of the asked flow while it was sent. */
export interface WatchedDrops {
  readonly watches: readonly NodeDrops[];
  readonly drops: readonly KernelDrop[];
  /** Of the nodes, with the events of our own attempts alone. */
  readonly replies: readonly Reply[];
}

/** `answers`: of each node that was asked to stop. Undefined where nobody had asked for it, as in a bundle without it. */
export function watchedDrops(
  answers: readonly Reply[],
  snapshot: Snapshot,
  own: OwnTraffic | undefined,
): WatchedDrops | undefined {
  const asked = answers.filter((reply) => reply.got === 'raw' || reply.gap !== 'not-asked');
  if (asked.length === 0) return undefined;
  const watches = asked.map(nodeDrops);
  return {
    watches,
    drops: dropSightings(watches, (node, inode) => placeOfInode(snapshot, node, inode), own),
    replies: asked.map((reply) => withOwnEvents(reply, own)),
  };
}

function nodeDrops(reply: Reply): NodeDrops {
  const { request } = reply;
  const { node } = request.place;
  if (reply.got === 'nothing') return { node, request, gap: `${reply.gap}: ${reply.detail}` };
  const { value: seen, unparsed } = parseDropEvents(new TextDecoder().decode(reply.raw));
  const gaps = [
    ...(seen.isWatched ? [] : ['it did not come to watch']),
    ...(seen.ended === 'rate' ? ['more is dropped there than can be watched without harm, and it was ended'] : []),
    ...(seen.ended === 'events' || seen.ended === 'time' ? [`it came to its bound (${seen.ended})`] : []),
    ...(seen.lost > 0 ? [`${seen.lost} events found no room`] : []),
    ...(reply.truncated || unparsed.length > 0 ? ['what it told could not be read wholly'] : []),
  ];
  return { node, request, seen, ...(gaps.length > 0 && { gap: gaps.join('; ') }) };
}

/** Inodes of network namespaces are the same in every /proc of a machine. */
function placeOfInode(snapshot: Snapshot, node: string, inode: number): Place | undefined {
  const sandboxes = snapshot.fact('sandboxes', hostOf(node));
  if (sandboxes.state === 'unseen' || inode === 0) return undefined;
  if (sandboxes.value.hostNetworkNamespace === inode) return hostOf(node);
  const uids = new Set(
    sandboxes.value.pods.filter(({ networkNamespace }) => networkNamespace === inode).map(({ uid }) => uid),
  );
  const pods = snapshot.fact('api.pods', CLUSTER);
  if (uids.size === 0 || pods.state === 'unseen') return undefined;
  const pod = pods.value.find(
    ({ metadata }) =>
      uids.has(metadata.annotations?.['kubernetes.io/config.hash'] ?? '') || uids.has(metadata.uid ?? ''),
  );
  return pod && podPlace(node, pod.metadata.namespace ?? 'default', pod.metadata.name);
}

/** Others' traffic is in no bundle. */
function withOwnEvents(reply: Reply, own: OwnTraffic | undefined): Reply {
  if (reply.got !== 'raw') return reply;
  const lines = new TextDecoder().decode(reply.raw).split('\n');
  const kept = lines.filter((line) => {
    const event = line.startsWith('D ') ? parseDropEvent(line) : undefined;
    return event === undefined || isOwnEvent(event, own);
  });
  return { ...reply, raw: new TextEncoder().encode(kept.join('\n')) };
}
