import { type Address, familyOf } from '../net/address.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Link } from '../parse/ip-link.ts';
import type { WireguardDevice, WireguardPeer } from '../parse/wireguard.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import { type Cursor, type End, type Move, stop, unknownEnd, unseenEnd, type Walk } from './cursor.ts';
import { largestBytes } from './fragments.ts';
import { sourceOf } from './steps.ts';
import { OUTER_HOPS, outerTos, sentOuter } from './tunnel-outer.ts';
import { tunnelStep } from './tunnel-step.ts';
import { withError } from './with-error.ts';

/** UDP, the message's header and its authentication tag; the payload is filled up to sixteen bytes. */
const MESSAGE_BYTES = 8 + 16 + 16;
const PADDING_BYTES = 16;
const OUTER_BYTES = { 4: 20, 6: 40 } as const;

/** The device's settings, or why they are not known. */
export function wireguardDevice(walk: Walk, cursor: Cursor, name: string): WireguardDevice | End {
  const observed = walk.world.snapshot.fact('wireguard', cursor.place);
  if (observed.state === 'unseen') return unseenEnd(cursor, observed);
  const device = observed.value.find((one) => one.device === name);
  if (device && isComplete(observed)) return device;
  return unknownEnd(cursor, `the peers of ${name} were not seen wholly`);
}

/** The peer with the longest prefix that holds the address (wg_allowedips_lookup_dst, wg_allowedips_lookup_src). */
export function peerFor(device: WireguardDevice, address: Address): WireguardPeer | undefined {
  let best: { readonly peer: WireguardPeer; readonly length: number } | undefined;
  for (const peer of device.peers) {
    for (const prefix of peer.allowed) {
      if (prefixContains(prefix, address) && prefix.length > (best?.length ?? -1))
        best = { peer, length: prefix.length };
    }
  }
  return best?.peer;
}

/** wg_xmit: to the endpoint of the peer that may have the destination; without one the sender is told. */
export function intoWireguard(walk: Walk, cursor: Cursor, link: Link): Move {
  const device = wireguardDevice(walk, cursor, link.name);
  if ('end' in device) return stop(device);
  const { packet } = cursor;
  const peer = peerFor(device, packet.ip.destination);
  const source = sourceOf(walk.world.snapshot.fact('wireguard', cursor.place), peer?.text);
  if (!peer?.endpoint) {
    const text = peer
      ? `no endpoint of the peer of ${link.name} that may have ${packet.ip.destination} is known`
      : `no peer of ${link.name} may have ${packet.ip.destination} (allowed-ips)`;
    const reason = peer ? 'no-endpoint' : 'no-peer';
    const step = tunnelStep(walk, cursor, link, { act: 'drop', reason, peer: peer?.publicKey, source, text });
    return stop(withError(cursor, 'tunnel-dropped', 'host'), [step]);
  }
  const { address, port } = peer.endpoint;
  const bytes = largestBytes(packet);
  const padded = Math.max(bytes, Math.min(Math.ceil(bytes / PADDING_BYTES) * PADDING_BYTES, link.mtu));
  return sentOuter(walk, cursor, link, {
    remote: address,
    l4: { protocol: 'udp', sourcePort: device.port, destinationPort: port },
    header: { kind: 'wireguard', from: device.publicKey, to: peer.publicKey },
    ttl: OUTER_HOPS,
    tos: outerTos(undefined, packet),
    df: false,
    overheadBytes: OUTER_BYTES[familyOf(address)] + MESSAGE_BYTES + padded - bytes,
    mark: device.mark,
    routeMark: device.mark,
    telling: {
      remote: address,
      port,
      peer: peer.publicKey,
      source,
      text: `${link.name}: for the peer ${peer.publicKey} to ${address}:${port}`,
    },
  });
}
