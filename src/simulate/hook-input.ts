import type { Address } from '../net/address.ts';
import { familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { type Cursor, familyAt, type World } from './cursor.ts';
import type { HookInput, HookName } from './hook.ts';
import { addressTypeOf } from './routes.ts';
import { reversed, tupleOf } from './tuple.ts';

/** What a rule set sees of a packet at a hook. */
export function hookInputOf({ snapshot, record }: World, cursor: Cursor, hook: HookName): HookInput {
  const { place, packet, meta, path, tracking } = cursor;
  const isIncoming = hook === 'prerouting' || hook === 'input' || hook === 'forward';
  const isOutgoing = hook === 'forward' || hook === 'output' || hook === 'postrouting';
  const connection = tracking.current?.connection;
  const reply = tracking.current?.reply ?? false;
  return {
    hook,
    family: familyAt(cursor),
    place,
    snapshot,
    packet,
    meta,
    ...(isIncoming && path.input !== undefined ? { input: path.input } : {}),
    ...(isOutgoing && path.output !== undefined ? { output: path.output } : {}),
    ...(path.physicalInput === undefined ? {} : { physicalInput: path.physicalInput }),
    ...(path.physicalOutput === undefined ? {} : { physicalOutput: path.physicalOutput }),
    addressType: (address, device) => addressTypeOf(snapshot, place, address, device),
    connection: {
      original: connection?.original ?? tupleOf(packet),
      reply,
      answer: connection?.answer ?? reversed(tupleOf(packet)),
    },
    ...(path.local && !isIncoming ? { socket: {} } : {}),
    masqueradeAddress: () => masqueradeAddress(snapshot, cursor),
    ...(record === undefined ? {} : { record }),
  };
}

/** The output device's address that is nearest to the next hop (inet_select_addr in devinet.c). */
export function masqueradeAddress(snapshot: Snapshot, cursor: Cursor): Address | undefined {
  const { output, route } = cursor.path;
  const link = linkNamed(snapshot, cursor.place, output);
  return link && preferredAddress(link, route?.hop?.via ?? cursor.packet.ip.destination);
}

export function linkNamed(snapshot: Snapshot, place: Place, name: string | undefined): Link | undefined {
  const links = snapshot.fact('links', place);
  return links.state === 'seen' ? links.value.find((link) => link.name === name) : undefined;
}

/** First an address in whose network `near` lies, else the first primary one; none of link scope. */
export function preferredAddress(link: Link, near: Address): Address | undefined {
  const family = familyOf(near);
  const usable = link.addresses.filter(
    (address) =>
      familyOf(address.prefix.address) === family &&
      address.scope !== 'link' &&
      address.scope !== 'host' &&
      !address.flags.includes('secondary') &&
      !address.flags.includes('tentative'),
  );
  const fitting = usable.find((address) => prefixContains(address.prefix, near));
  return (fitting ?? usable[0])?.prefix.address;
}

/** REDIRECT takes the first address of the device by which the packet came in (nf_nat_redirect.c). */
export function redirectAddress(snapshot: Snapshot, cursor: Cursor): Address | undefined {
  const family = familyAt(cursor);
  if (cursor.path.input === undefined) return family === 4 ? '127.0.0.1' : '::1';
  const link = linkNamed(snapshot, cursor.place, cursor.path.input);
  return link?.addresses.find((address) => familyOf(address.prefix.address) === family)?.prefix.address;
}
