import { type Cursor, type Move, stop, unknownEnd, type Walk } from './cursor.ts';
import { linkNamed } from './hook-input.ts';
import { intoIpTunnel } from './tunnel-ip.ts';
import { intoGeneve, intoVxlan } from './tunnel-udp.ts';
import { intoWireguard } from './tunnel-wireguard.ts';

/** A packet goes out by a tunnel device: into an outer one, which the host then sends like its own. */
export function encapsulate(walk: Walk, cursor: Cursor): Move {
  if (cursor.stage.name !== 'encapsulate') throw new Error('not at a tunnel');
  const { device } = cursor.stage;
  const link = linkNamed(walk.world.snapshot, cursor.place, device);
  if (!link) return stop(unknownEnd(cursor, `${device} is not among the devices of this namespace`));
  switch (link.kind) {
    case 'vxlan':
      return intoVxlan(walk, cursor, link);
    case 'geneve':
      return intoGeneve(walk, cursor, link);
    case 'wireguard':
      return intoWireguard(walk, cursor, link);
    default:
      return intoIpTunnel(walk, cursor, link);
  }
}
