import type { Address } from '../net/address.ts';
import { familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import { type Cursor, familyAt, type World } from './cursor.ts';
import type { HookInput, HookLayer, HookName } from './hook.ts';
import { kernelIsAtLeast } from './route-hops.ts';
import { selectIpv4Address } from './route-source.ts';
import { addressTypeOf } from './routes.ts';
import { selectIpv6Source } from './select-source.ts';
import { interfaceKey, readSysctl } from './sysctl.ts';
import { type Connection, touchedAt } from './tracking.ts';
import { truth } from './truth.ts';
import { reversed, tupleOf } from './tuple.ts';

/** What a rule set sees of a packet at a hook. */
export function hookInputOf({ snapshot, record }: World, cursor: Cursor, hook: HookName): HookInput {
  const { place, packet, meta, path, tracking } = cursor;
  const layer = cursor.stage.name === 'hook' ? cursor.stage.layer : undefined;
  const isIncoming = hook === 'prerouting' || hook === 'input' || hook === 'forward';
  const isOutgoing = hook === 'forward' || hook === 'output' || hook === 'postrouting';
  const input: { -readonly [K in keyof HookInput]: HookInput[K] } = {
    hook,
    family: familyAt(cursor),
    place,
    snapshot,
    packet,
    meta,
    addressType: (address, device) => addressTypeOf(snapshot, place, address, device),
    connection: connectionOf(cursor),
    masqueradeAddress: () => {
      const address = masqueradeAddress(snapshot, cursor);
      return address === 'none' ? undefined : address;
    },
  };
  if (layer) Object.assign(input, { layer }, devicesAt(hook, layer));
  else {
    const isTold = isIncoming || (hook === 'postrouting' && isInputToldAfterRouting(snapshot, cursor));
    const told = path.local ? path.sentBy : path.input;
    if (isTold && told !== undefined) input.input = told;
    if (isOutgoing && path.output !== undefined) input.output = path.output;
  }
  if (path.physicalInput !== undefined) input.physicalInput = path.physicalInput;
  if (path.physicalOutput !== undefined) input.physicalOutput = path.physicalOutput;
  if (path.local && !path.isOrphan && !isIncoming) input.socket = path.owner ?? {};
  if (path.route && hook !== 'prerouting') input.route = path.route;
  if (path.hasTemplate && meta.conntrack === 'none') input.hasTemplate = true;
  if (tracking.touched) input.touched = touchedAt(tracking, place);
  if (record !== undefined) input.record = record;
  return input;
}

/**
 * What was routed through still bears the device that it came in by (ip_output, ip6_output: `indev = skb->dev`), since Linux
 * 5.7; a kernel of unknown age is taken for a newer one. What br_netfilter hands over has none (br_nf_post_routing).
 */
function isInputToldAfterRouting(snapshot: Snapshot, { place, path }: Cursor): boolean {
  if ((path.local && path.sentBy === undefined) || path.physicalOutput !== undefined) return false;
  return kernelIsAtLeast({ snapshot, place }, 5, 7) !== 'no';
}

function connectionOf({ packet, tracking: { current } }: Cursor): HookInput['connection'] {
  if (!current) {
    const original = tupleOf(packet);
    return { original, reply: false, answer: reversed(original) };
  }
  const { connection, reply } = current;
  return { original: connection.original, reply, status: statusOf(connection), answer: connection.answer };
}

type Devices = Pick<HookInput, 'input' | 'output'>;

/** A device's hook names that device, a bridge's the ports (nf_ingress, nf_hook_egress, br_forward.c, br_input.c). */
function devicesAt(hook: HookName, layer: HookLayer): Devices {
  if (layer.kind === 'device') return hook === 'ingress' ? { input: layer.device } : { output: layer.device };
  return {
    ...(layer.input === undefined ? {} : { input: layer.input }),
    ...(layer.output === undefined ? {} : { output: layer.output }),
  };
}

/**
 * The address that MASQUERADE takes: by which the output device speaks to the next hop (nf_nat_masquerade.c).
 * 'none': there is no such; undefined: not known.
 */
export function masqueradeAddress(snapshot: Snapshot, cursor: Cursor): Address | 'none' | undefined {
  const { output, route } = cursor.path;
  const links = snapshot.fact('links', cursor.place);
  const link = linkNamed(snapshot, cursor.place, output);
  if (links.state === 'unseen' || !link) return undefined;
  const { destination } = cursor.packet.ip;
  const chosen =
    familyAt(cursor) === 4
      ? (selectIpv4Address(snapshot, cursor.place, link.name, route?.hop?.via ?? destination) ?? 'none')
      : selectIpv6Source(links.value, link, destination, {
          prefersTemporary: (name) => prefersTemporary(snapshot, cursor.place, name),
        });
  return chosen === 'none' && !isComplete(links) ? undefined : chosen;
}

function prefersTemporary(snapshot: Snapshot, place: Place, device: string): boolean {
  const value = readSysctl(snapshot, place, interfaceKey(6, device, 'use_tempaddr'));
  return value.state === 'seen' && value.value >= 2;
}

/** Bits of `struct nf_conn`'s status. A stream of datagrams is assured only after two seconds: not known. */
function statusOf(connection: Connection): NonNullable<HookInput['connection']['status']> {
  const { assured, confirmed, seenReply, original } = connection;
  const isOpen = seenReply && !assured && original.protocol !== 'tcp' && original.type === undefined;
  return {
    expected: 'no',
    seenReply: truth(seenReply),
    assured: isOpen ? 'unknown' : truth(assured),
    confirmed: truth(confirmed),
  };
}

export function linkNamed(snapshot: Snapshot, place: Place, name: string | undefined): Link | undefined {
  const links = snapshot.fact('links', place);
  return links.state === 'seen' && name !== undefined ? linksByName(links.value).get(name) : undefined;
}

const namedLinks = new WeakMap<readonly Link[], ReadonlyMap<string, Link>>();

function linksByName(links: readonly Link[]): ReadonlyMap<string, Link> {
  const known = namedLinks.get(links);
  if (known) return known;
  const byName = new Map<string, Link>();
  for (const link of links) if (!byName.has(link.name)) byName.set(link.name, link);
  namedLinks.set(links, byName);
  return byName;
}

/**
 * REDIRECT takes the first address of the device by which the packet came in, of IPv6 one that can be used and is of the
 * destination's scope if that is no global one; loopback's for what this host itself sends (nf_nat_redirect.c).
 */
export function redirectAddress(snapshot: Snapshot, cursor: Cursor): Address | 'none' | undefined {
  const family = familyAt(cursor);
  const { stage, path, packet } = cursor;
  if (stage.name === 'hook' && stage.hook === 'output') return family === 4 ? '127.0.0.1' : '::1';
  const links = snapshot.fact('links', cursor.place);
  const link = linkNamed(snapshot, cursor.place, path.input);
  if (links.state === 'unseen' || !link) return undefined;
  const own = link.addresses.filter((address) => familyOf(address.prefix.address) === family);
  const toLink = family === 6 && packet.ip.destination.startsWith('fe80:');
  const usable = family === 4 ? own : own.filter((one) => isUsable(one, toLink));
  return usable[0]?.prefix.address ?? (isComplete(links) ? 'none' : undefined);
}

function isUsable({ prefix, flags }: Link['addresses'][number], linkLocalOnly: boolean): boolean {
  if (flags.includes('tentative') && !flags.includes('optimistic')) return false;
  return !linkLocalOnly || prefix.address.startsWith('fe80:');
}
