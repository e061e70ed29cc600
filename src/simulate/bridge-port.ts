import type { Request } from '../host/host.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import type { Cursor, Walk } from './cursor.ts';
import { wantsAt } from './enter-namespace.ts';
import { isUnderlay } from './receiving-device.ts';
import { type Peer, topologyOf } from './topology.ts';

export type PortChoice =
  | { readonly state: 'port'; readonly port: string; readonly by: 'fdb' | 'flood'; readonly text?: string }
  | { readonly state: 'nobody' }
  | { readonly state: 'unknown'; readonly because: string; readonly wants: readonly Request[] };

/**
 * The port that a frame for `mac` goes out by: the forwarding table's, else it is flooded, and of the ports the one
 * counts behind which the MAC is (br_fdb_find_rcu, br_flood). Entries age out, so their absence says nothing.
 */
export function bridgePortFor(
  walk: Walk,
  cursor: Cursor,
  master: Link,
  mac: string,
  from: string | undefined,
): PortChoice {
  const { snapshot } = walk.world;
  const fdb = snapshot.fact('fdb', cursor.place);
  const entry =
    fdb.state === 'seen'
      ? fdb.value.find((one) => one.master === master.name && one.mac === mac && one.state !== 'permanent')
      : undefined;
  if (entry) return { state: 'port', port: entry.device, by: 'fdb', text: entry.text };
  const links = snapshot.fact('links', cursor.place);
  const ports = links.state === 'seen' ? links.value.filter((link) => link.master === master.name) : [];
  return flooded(
    walk,
    cursor,
    master,
    mac,
    ports.filter((port) => port.name !== from || port.bridgePort?.hairpin),
  );
}

function flooded(walk: Walk, cursor: Cursor, master: Link, mac: string, ports: readonly Link[]): PortChoice {
  const { snapshot } = walk.world;
  const topology = topologyOf(snapshot);
  const flooding = ports.filter((port) => port.bridgePort?.flood !== false);
  const peers = flooding.map((port) => ({ port, peer: topology.peerOf(cursor.place, port) }));
  const behind = peers.find(({ peer }) => peer.state === 'found' && peer.link.mac === mac);
  if (behind) return { state: 'port', port: behind.port.name, by: 'flood' };
  const wire = flooding.find((port) => port.kind !== 'veth' && isUnderlay(port));
  if (wire) return { state: 'port', port: wire.name, by: 'flood' };
  const wants = [
    ...wantsOfTarget(walk, cursor),
    ...unseenEnds(
      walk,
      cursor,
      peers.map(({ peer }) => peer),
    ),
  ];
  const isSure = isComplete(snapshot.fact('links', cursor.place)) && peers.every(({ peer }) => peer.state === 'found');
  if (isSure && wants.length === 0) return { state: 'nobody' };
  return { state: 'unknown', because: `which port of ${master.name} leads to ${mac} was not collected`, wants };
}

function wantsOfTarget(walk: Walk, cursor: Cursor): readonly Request[] {
  const { snapshot } = walk.world;
  const pod = topologyOf(snapshot).podAt(cursor.packet.ip.destination);
  return pod && pod.node === cursor.place.node ? wantsAt(snapshot, pod, cursor) : [];
}

/** Namespaces that may be behind a port whose far end was not seen: their devices tell. */
const PODS_ASKED_MAX = 32;

function unseenEnds(walk: Walk, cursor: Cursor, peers: readonly Peer[]): readonly Request[] {
  if (peers.every((peer) => peer.state === 'found')) return [];
  const { snapshot } = walk.world;
  const pods = topologyOf(snapshot).podsOfNode(cursor.place.node);
  const wants = pods.flatMap((pod) => {
    const links = snapshot.fact('links', pod);
    return links.state === 'unseen' && links.gap === 'not-asked' ? [links.want] : [];
  });
  return wants.slice(0, PODS_ASKED_MAX);
}
