import type { Place } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { type Cursor, familyAt, type Move, prefixed, stop, type Walk } from './cursor.ts';
import { linkNamed } from './hook-input.ts';
import { makeStep, sourceOf } from './steps.ts';
import type { Step } from './trace.ts';
import { withError } from './with-error.ts';

/** A frame may be this much longer than the MTU and still pass a veth or bridge port: a VLAN tag (is_skb_forwardable). */
const VLAN_TAG_BYTES = 4;

/** The route's own MTU or its device's; undefined where neither is known. */
function mtuOf(walk: Walk, cursor: Cursor): { readonly mtu: number; readonly device: string } | undefined {
  const { output, route } = cursor.path;
  const device = output ?? '';
  const link = linkNamed(walk.world.snapshot, cursor.place, device);
  const mtu = route?.route?.mtu ?? link?.mtu;
  return mtu === undefined ? undefined : { mtu, device };
}

/** Before the forward hook: a packet that may not be fragmented is refused with its ICMP error. IPv6 never fragments here. */
export function exceedsForwarding(walk: Walk, cursor: Cursor): Move | undefined {
  const limit = mtuOf(walk, cursor);
  const { packet } = cursor;
  if (!limit || packet.lengthBytes <= limit.mtu) return undefined;
  if (familyAt(cursor) === 4 && !packet.ip.df) return undefined;
  return stop(withError(cursor, 'packet-too-big', 'too-big'), [mtuStep(walk, cursor, limit, 'too-big')]);
}

/** After postrouting: too long a packet is fragmented, or where it may not be, refused (ip_finish_output, ip_fragment). */
export function fitOutput(walk: Walk, cursor: Cursor, onward: (cursor: Cursor) => Move): Move {
  const limit = mtuOf(walk, cursor);
  const { packet } = cursor;
  if (!limit || packet.lengthBytes <= limit.mtu) return onward(cursor);
  if (packet.ip.df) {
    return stop(withError(cursor, 'packet-too-big', 'too-big'), [mtuStep(walk, cursor, limit, 'too-big')]);
  }
  return prefixed([mtuStep(walk, cursor, limit, 'fragmented')], onward(cursor));
}

/**
 * A veth's far end and a bridge's port drop what is longer than their own MTU, without an error. `sender` is where it was
 * sent from: what exceeds that one's MTU comes in fragments of it.
 */
export function droppedBySize(walk: Walk, cursor: Cursor, sender: Place, link: Link): Move | undefined {
  if (frameBytes(walk, cursor, sender) <= link.mtu + VLAN_TAG_BYTES) return undefined;
  const step = mtuStep(walk, cursor, { mtu: link.mtu, device: link.name }, 'dropped-silently');
  return stop({ end: 'packet-too-big', cursor, senderSees: 'nothing' }, [step]);
}

/** A frame over the MTU of the NIC that receives it, from one with a larger MTU. */
export function exceedingStep(walk: Walk, cursor: Cursor, receiver: Place, link: Link): Step | undefined {
  if (frameBytes(walk, cursor, cursor.place) <= link.mtu + VLAN_TAG_BYTES) return undefined;
  const there = { ...cursor, place: receiver };
  return { ...mtuStep(walk, there, { mtu: link.mtu, device: link.name }, 'exceeds'), matched: 'unknown' };
}

function frameBytes(walk: Walk, cursor: Cursor, sender: Place): number {
  const { packet } = cursor;
  if (packet.ip.df) return packet.lengthBytes;
  return Math.min(packet.lengthBytes, mtuOf(walk, { ...cursor, place: sender })?.mtu ?? packet.lengthBytes);
}

const ACTS = {
  'too-big': 'refused with an ICMP error',
  fragmented: 'fragmented',
  'dropped-silently': 'dropped',
  exceeds: 'whether the NIC takes it is not known',
} as const;

function mtuStep(
  walk: Walk,
  cursor: Cursor,
  limit: { readonly mtu: number; readonly device: string },
  act: keyof typeof ACTS,
): Step {
  const { packet } = cursor;
  return makeStep({
    kind: 'mtu',
    at: `mtu ${limit.device}`,
    matched: act === 'fragmented' ? 'yes' : 'no',
    source: sourceOf(walk.world.snapshot.fact('links', cursor.place), `${limit.device} mtu ${limit.mtu}`),
    values: { device: limit.device, mtu: limit.mtu, lengthBytes: packet.lengthBytes, df: packet.ip.df, act },
    text: `${packet.lengthBytes} bytes do not fit the MTU ${limit.mtu} of ${limit.device}: ${ACTS[act]}`,
  });
}
