import { type Address, addressToBits } from '../net/address.ts';
import { type Cursor, familyAt, go, type Move, stop, type Walk } from './cursor.ts';
import { isGroup } from './frame.ts';
import { martianSource } from './martian.ts';
import { exceedsForwarding } from './mtu.ts';
import { isMulticast } from './routes.ts';
import { makeStep, sourceOf } from './steps.ts';
import type { Step } from './trace.ts';
import { withError } from './with-error.ts';

/** ip_forward, ip6_forward: a frame for this host alone, TTL, source, size, one hop less, the forward hook, postrouting. */
export function forward(walk: Walk, cursor: Cursor): Move {
  const { packet } = cursor;
  if (packet.macs && isGroup(packet.macs.destination)) return stop(...toMany(walk, cursor));
  if (cursor.path.tproxy) return stop(...withItsSocket(walk, cursor));
  if (packet.ip.ttl <= 1) return stop(withError(cursor, 'ttl-exceeded', 'ttl'), [spent(walk, cursor)]);
  const refused = familyAt(cursor) === 6 ? refusedSource(walk, cursor) : undefined;
  if (refused) return refused;
  const tooBig = exceedsForwarding(walk, cursor);
  if (tooBig) return tooBig;
  const forwarded = { ...packet, ip: { ...packet.ip, ttl: packet.ip.ttl - 1 } };
  const finish = { name: 'finish' } as const;
  const postrouting = { name: 'hook', hook: 'postrouting', next: 0, after: finish } as const;
  return go({ ...cursor, packet: forwarded, stage: { name: 'hook', hook: 'forward', next: 0, after: postrouting } });
}

function spent(walk: Walk, cursor: Cursor): Step {
  return makeStep({
    kind: 'link',
    at: 'forward',
    matched: 'no',
    source: sourceOf(walk.world.snapshot.fact('routes', cursor.place, { family: familyAt(cursor) })),
    values: { reason: 'ttl' },
    text: 'the TTL is used up',
  });
}

/** What TPROXY has given to a socket is for this host or for nobody (`if (unlikely(skb->sk)) goto drop`). */
function withItsSocket(walk: Walk, cursor: Cursor): Parameters<typeof stop> {
  const step = makeStep({
    kind: 'link',
    at: 'forward',
    matched: 'no',
    source: sourceOf(walk.world.snapshot.fact('routes', cursor.place, { family: familyAt(cursor) })),
    values: { device: cursor.path.output, reason: 'tproxy' },
    text: 'TPROXY has given it to a socket of this host, but the route leads on: the kernel drops it',
  });
  const because = 'TPROXY needs a route that makes the packet local, mostly by a rule for its mark (ip-rule(8))';
  return [{ end: 'dropped-by-rule', cursor, senderSees: 'nothing', because }, [step]];
}

/** A frame to all of a wire is never forwarded, whatever its IP destination (PACKET_HOST). */
function toMany(walk: Walk, cursor: Cursor): Parameters<typeof stop> {
  const { macs } = cursor.packet;
  const step = makeStep({
    kind: 'link',
    at: 'forward',
    matched: 'no',
    source: sourceOf(walk.world.snapshot.fact('links', cursor.place)),
    values: { device: cursor.path.input, destinationMac: macs?.destination, reason: 'other-host' },
    text: `the frame is for ${macs?.destination}, which is many: it is not forwarded`,
  });
  return [{ end: 'not-for-this-mac', cursor, senderSees: 'nothing' }, [step]];
}

/**
 * A source that is good on one link alone leaves it for no other: unspecified, group and loopback go in silence, a
 * link-local one is told (RFC 4007 §9). What goes out where it came in is not looked at.
 */
function refusedSource(walk: Walk, cursor: Cursor): Move | undefined {
  const { source } = cursor.packet.ip;
  const { input, output } = cursor.path;
  if (input === output) return undefined;
  const isNobody = source === '::' || source === '::1' || isMulticast(source);
  if (!isNobody && !isLinkLocal(source)) return undefined;
  const check = martianSource(walk, cursor, input ?? '');
  return isNobody ? stop(check.end!, check.steps) : stop(withError(cursor, 'martian', 'scope'), check.steps);
}

function isLinkLocal(address: Address): boolean {
  return address.startsWith('fe') && addressToBits(address) >> 118n === LINK_LOCAL;
}

const LINK_LOCAL = 0xfe80n >> 6n;
