import type { Address } from '../net/address.ts';
import type { Check } from './check.ts';
import { type Cursor, familyAt, unknownEnd, type Walk } from './cursor.ts';
import { isMulticast } from './routes.ts';
import { makeStep, sourceOf } from './steps.ts';
import { interfaceKey, isSwitchedOn } from './sysctl.ts';

/** Addresses that must not come from a wire (ip_route_input_slow: martian_source, martian_destination). IPv4 only. */
export function martianCheck(walk: Walk, cursor: Cursor, input: string): Check | undefined {
  if (familyAt(cursor) !== 4) return undefined;
  const { source, destination } = cursor.packet.ip;
  if (isMulticast(source) || source === '255.255.255.255') return martian(walk, cursor, input, source, 'source');
  if (source.startsWith('0.')) return martian(walk, cursor, input, source, 'source');
  if (destination.startsWith('0.')) return martian(walk, cursor, input, destination, 'destination');
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
