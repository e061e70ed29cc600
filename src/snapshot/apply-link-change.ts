import { type Place, placeKey } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { parseAddressLine } from './address-line.ts';
import type { ChangeOf, Outcome } from './overlay-snapshot.ts';
import type { Snapshot } from './snapshot.ts';

/** `ip addr add` and `ip addr del`. */
export function applyAddressChange(
  links: readonly Link[],
  { act, line }: Pick<ChangeOf<'address'>, 'act' | 'line'>,
): Outcome<readonly Link[]> {
  const parsed = parseAddressLine(line);
  const index = links.findIndex((link) => link.name === parsed?.device);
  if (!parsed || index < 0) return 'failed';
  const link = links[index]!;
  const others = link.addresses.filter(({ prefix }) => prefix.address !== parsed.address.prefix.address);
  if (act === 'remove') {
    const isThere = others.length < link.addresses.length;
    return isThere ? { value: links.with(index, { ...link, addresses: others }) } : 'failed';
  }
  return { value: links.with(index, { ...link, addresses: [...others, parsed.address] }) };
}

/**
 * `ip link set` and `bridge link set`. Setting a link up or down also gives or takes its veth peer's carrier, in
 * whichever namespace of the node the peer lives (drivers/net/veth.c: veth_open, veth_close).
 */
export function applyLinkChange(
  links: readonly Link[],
  change: ChangeOf<'link'>,
  place: Place,
  base: Snapshot,
): Outcome<readonly Link[]> {
  const isHere = placeKey(change.place) === placeKey(place);
  const index = isHere ? links.findIndex((link) => link.name === change.device) : -1;
  if (isHere && index < 0) return 'failed';
  const changed = isHere ? links.with(index, changedLink(links[index]!, change.set, links)) : links;
  const own = isHere && change.set.up !== undefined ? withPorts(changed, links[index]!, change.set.up) : changed;
  const peer = change.set.up === undefined ? -1 : peerIndexOf(own, change, place, base);
  if (peer >= 0) return { value: own.with(peer, withCarrier(own[peer]!, change.set.up!)) };
  return isHere ? { value: own } : 'not-meant';
}

/** A bridge that is set up begins to forward at each port that runs, and stops when it is set down (br_stp_enable_bridge, br_stp_disable_bridge in net/bridge/br_stp_if.c). */
function withPorts(links: readonly Link[], bridge: Link, up: boolean): readonly Link[] {
  if (bridge.kind !== 'bridge') return links;
  return links.map((link) => {
    if (link.master !== bridge.name || !link.bridgePort) return link;
    const state = up && link.flags.includes('LOWER_UP') ? 'forwarding' : 'disabled';
    return { ...link, bridgePort: { ...link.bridgePort, state } };
  });
}

/** Where in `links` (of `place`) the changed device's veth peer is; -1 where it is not there, or not known. */
function peerIndexOf(links: readonly Link[], change: ChangeOf<'link'>, place: Place, base: Snapshot): number {
  if (change.place.node !== place.node) return -1;
  const there = base.fact('links', change.place);
  const device = there.state === 'seen' ? there.value.find((link) => link.name === change.device) : undefined;
  if (device?.kind !== 'veth' || device.peerIndex === undefined) return -1;
  const isSameNamespace = placeKey(change.place) === placeKey(place);
  if (isSameNamespace !== (device.peerNamespaceId === undefined)) return -1;
  // Two pods' eth0 have the same index: the peer must point back, and one of the two is the host.
  const isPlausible = isSameNamespace || change.place.namespace === 'host' || place.namespace === 'host';
  if (!isPlausible) return -1;
  return links.findIndex(
    (link) => link.kind === 'veth' && link.index === device.peerIndex && link.peerIndex === device.index,
  );
}

function changedLink(link: Link, set: ChangeOf<'link'>['set'], links: readonly Link[]): Link {
  let changed: Link = link;
  if (set.up !== undefined) changed = withUp(changed, set.up);
  if (set.mtu !== undefined) changed = { ...changed, mtu: set.mtu };
  if (set.mac !== undefined) changed = { ...changed, mac: set.mac.toLowerCase() };
  if (set.master !== undefined) changed = withMaster(changed, set.master, links);
  if (changed.bridgePort && (set.hairpin !== undefined || set.isolated !== undefined)) {
    const { hairpin = changed.bridgePort.hairpin, isolated = changed.bridgePort.isolated } = set;
    changed = { ...changed, bridgePort: { ...changed.bridgePort, hairpin, isolated } };
  }
  return changed;
}

/** Up as the change wants it: with its carrier, so that the counterfactual is the mended link. */
function withUp(link: Link, up: boolean): Link {
  const flags = link.flags.filter((flag) => flag !== 'UP');
  return withCarrier({ ...link, flags: up ? [...flags, 'UP'] : flags }, up);
}

function withCarrier(link: Link, carrier: boolean): Link {
  const isUp = link.flags.includes('UP');
  const flags = link.flags.filter((flag) => !['LOWER_UP', 'NO-CARRIER', 'M-DOWN'].includes(flag));
  const runs = carrier && isUp;
  const state = runs ? [...flags, 'LOWER_UP'] : isUp ? ['NO-CARRIER', ...flags] : flags;
  const port = link.bridgePort && { ...link.bridgePort, state: runs ? 'forwarding' : 'disabled' };
  const operstate = runs ? 'UP' : isUp ? 'LOWERLAYERDOWN' : 'DOWN';
  return { ...link, flags: state, operstate, ...(port && { bridgePort: port }) };
}

function withMaster(link: Link, master: string, links: readonly Link[]): Link {
  const { master: _master, bridgePort: _port, ...bare } = link;
  if (master === '') return bare;
  const isBridge = links.find((one) => one.name === master)?.kind === 'bridge';
  if (!isBridge) return { ...bare, master };
  const state = link.flags.includes('LOWER_UP') ? 'forwarding' : 'disabled';
  const port = { state, hairpin: false, isolated: false, learning: true, flood: true };
  return { ...bare, master, bridgePort: link.master === master && link.bridgePort ? link.bridgePort : port };
}
