import { type Place, podPlace } from '../../../src/net/place.ts';
import type { CasePacket } from '../case.ts';
import type { Feature } from '../feature.ts';
import type { Network } from '../network.ts';
import type { StateChange } from '../shown-change.ts';

/* macvlan devices of pods on their node's cable to the other node. */

const FIRST_SOURCE_PORT = 20_000;

interface Guest {
  readonly ns: string;
  readonly address: string;
  readonly mac: string;
}

function macvlan(mode: string, weight = 1): Feature {
  const name = `macvlan ${mode}`;
  return {
    name,
    weight,
    wants: { nodes: 2, pods: 2, ...(mode === 'passthru' && { asks: false }) },
    // What its switch would do is not known to the walk.
    ...(mode === 'vepa' && { isUndecidable: true }),
    add: (network) => {
      const pods = network.hosts.filter((one) => one.pod && one.node === 'a');
      const isFit = network.hosts.some((one) => one.ns === 'b') && !network.items.some(isMacvlan);
      // A device in passthru mode keeps answers from the node, which may have learnt of the other by its question before.
      if (mode === 'passthru' && network.realNeighbours) return false;
      if (!isFit) return false;
      const guests = pods.slice(0, mode === 'passthru' ? 1 : 2).map(({ ns }, index): Guest => {
        return { ns, address: `10.9.0.${51 + index}`, mac: `02:00:00:07:00:0${index + 1}` };
      });
      for (const guest of guests) addGuest(network, name, mode, guest, guests);
      knowEachOther(network, guests);
      for (const packet of packetsBetween(network, guests)) network.packets.push(packet);
      return true;
    },
  };
}

function isMacvlan(item: Network['items'][number]): boolean {
  return 'line' in item && item.line.includes('type macvlan');
}

function addGuest(
  network: Network,
  feature: string,
  mode: string,
  { ns, address, mac }: Guest,
  all: readonly Guest[],
): void {
  const line = `link add link eth0 name mv0 address ${mac} netns @netns:${ns}@ type macvlan mode ${mode}`;
  const placeOf = (guest: string): Place => podPlace('a', 'pt', guest);
  // All of another mode, or none of it.
  const set = { 'linkinfo.info_data.mode': mode === 'bridge' ? 'private' : 'bridge' };
  const negated = all.map((one): StateChange => {
    return { op: 'shown', place: placeOf(one.ns), action: 'links', where: { ifname: 'mv0' }, set };
  });
  const gone: StateChange = { op: 'link', place: placeOf(ns), text: 'mv0 down', device: 'mv0', set: { up: false } };
  network.add({ kind: 'link', ns: 'a', line, feature, ignored: [gone], negated });
  network.add({ kind: 'ip', ns, line: 'link set dev mv0 up' });
  network.add({ kind: 'ip', ns, line: `addr add ${address}/24 dev mv0` });
}

function knowEachOther(network: Network, guests: readonly Guest[]): void {
  if (network.realNeighbours) return;
  const know = (ns: string, device: string, address: string, mac: string): void =>
    network.add({
      kind: 'ip',
      ns,
      line: `neigh replace ${address} lladdr ${mac} dev ${device} nud permanent`,
    });
  for (const guest of guests) {
    know('b', 'eth0', guest.address, guest.mac);
    know('a', 'eth0', guest.address, guest.mac);
    know(guest.ns, 'mv0', '10.9.0.2', '02:00:00:09:00:02');
    know(guest.ns, 'mv0', '10.9.0.1', '02:00:00:09:00:01');
    for (const other of guests) if (other !== guest) know(guest.ns, 'mv0', other.address, other.mac);
  }
}

function packetsBetween(network: Network, guests: readonly Guest[]): readonly CasePacket[] {
  const [one, two] = guests;
  const ways: (readonly [string, string])[] = [
    ...(two ? [[one!.ns, two.address] as const] : []),
    [one!.ns, '10.9.0.2'],
    ['b', one!.address],
    [one!.ns, '10.9.0.1'],
  ];
  const first = FIRST_SOURCE_PORT + network.packets.length;
  return ways.slice(0, 8 - network.packets.length).map(([ns, destination], index): CasePacket => {
    const protocol = network.draw.pick(['tcp', 'udp', 'icmp'] as const);
    return {
      ns,
      family: 4,
      protocol,
      sourcePort: first + index,
      destination,
      destinationPort: protocol === 'icmp' ? 0 : 80,
      payloadBytes: protocol === 'icmp' ? 64 : network.draw.pick([20, 1000, 1400]),
      df: true,
    };
  });
}

export const MACVLAN_FEATURES: readonly Feature[] = [
  macvlan('bridge', 2),
  macvlan('private'),
  macvlan('vepa'),
  macvlan('passthru'),
];
