import { type Address, addressToBits } from '../net/address.ts';
import type { Check } from './check.ts';
import { type Cursor, familyAt, unknownEnd, type Walk } from './cursor.ts';
import { isMulticast } from './routes.ts';
import { makeStep, sourceOf } from './steps.ts';
import { interfaceKey, isSwitchedOn } from './sysctl.ts';

const BROADCAST = '255.255.255.255';
const ANY = '0.0.0.0';

/**
 * Addresses that must not come from a wire (ip_route_input_slow: martian_source, martian_destination). Of the zero network
 * only 0.0.0.0 itself is one (since Linux 5.3), and to the limited broadcast even that may come.
 */
export function martianCheck(walk: Walk, cursor: Cursor, input: string): Check | undefined {
  if (familyAt(cursor) !== 4) return undefined;
  const { source, destination } = cursor.packet.ip;
  if (isMulticast(source) || source === BROADCAST) return martian(walk, cursor, input, source, 'source');
  if (destination === BROADCAST || (source === ANY && destination === ANY)) return undefined;
  if (source === ANY) return martian(walk, cursor, input, source, 'source');
  if (destination === ANY) return martian(walk, cursor, input, destination, 'destination');
  const end = isLoopback(destination) ? 'destination' : isLoopback(source) ? 'source' : undefined;
  if (end === undefined) return undefined;
  const allowed = isSwitchedOn(walk.world.snapshot, cursor.place, 4, 'route_localnet', input);
  if (allowed === 'yes') return undefined;
  const address = end === 'source' ? source : destination;
  if (allowed === 'unknown') {
    return { steps: [], end: unknownEnd(cursor, `route_localnet of ${input} was not seen, and ${address} needs it`) };
  }
  return martian(walk, cursor, input, address, end, true);
}

/**
 * What IPv6 drops before any hook (ip6_rcv_core of net/ipv6/ip6_input.c): a multicast or mapped source, and loopback
 * addresses on a device that is none.
 */
export function ipv6HeaderCheck(walk: Walk, cursor: Cursor, input: string): Check | undefined {
  if (familyAt(cursor) !== 6 || input === 'lo') return undefined;
  const { source, destination } = cursor.packet.ip;
  if (isMulticast(source) || isMapped(source) || source === '::1') {
    return martian(walk, cursor, input, source, 'source');
  }
  return destination === '::1' ? martian(walk, cursor, input, destination, 'destination') : undefined;
}

/** `::ffff:0:0/96`; a translator's `::ffff:0:0:0/96` (RFC 7915) is none. */
function isMapped(address: Address): boolean {
  return address.startsWith('::ffff:') && addressToBits(address) >> 32n === 0xffffn;
}

/** A source that may not leave its link. */
export function martianSource(walk: Walk, cursor: Cursor, input: string): Check {
  return martian(walk, cursor, input, cursor.packet.ip.source, 'source');
}

/** A destination whose route is of a type that nothing from a wire is sent to. */
export function martianDestination(walk: Walk, cursor: Cursor, input: string): Check {
  return martian(walk, cursor, input, cursor.packet.ip.destination, 'destination');
}

function isLoopback(address: Address): boolean {
  return address.startsWith('127.');
}

function martian(
  walk: Walk,
  cursor: Cursor,
  input: string,
  address: Address,
  end: 'source' | 'destination',
  localnet = false,
): Check {
  const step = makeStep({
    kind: 'sysctl',
    at: `route input ${input}`,
    matched: 'no',
    source: sourceOf(walk.world.snapshot.fact('sysctls', cursor.place)),
    values: {
      check: localnet ? 'route_localnet' : 'martian',
      key: localnet ? interfaceKey(4, input, 'route_localnet') : undefined,
      value: localnet ? '0' : undefined,
      needed: localnet ? '1' : undefined,
      device: input,
      source: address,
    },
    text: `${end} ${address} may not come in by ${input}: a martian, dropped`,
  });
  return { steps: [step], end: { end: 'martian', cursor, senderSees: 'nothing' } };
}
