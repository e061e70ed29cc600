import { placeOf } from '../collect-case.ts';
import type { Feature } from '../feature.ts';
import type { Network } from '../network.ts';
import { aimAt, hostLength } from './route-aim.ts';

/* Entries of neighbours: right and wrong ones, in every state. */

/** Nobody's. */
export const STRAY_MAC = '02:00:00:99:99:99';

export function ownerOf(network: Network, ns: string): string {
  return network.devices.find((one) => one.ns === ns && one.name === 'eth0')?.mac ?? STRAY_MAC;
}

function neighbourFeature(
  name: string,
  entry: (mac: string) => string,
  options: {
    readonly asked?: boolean;
    readonly askable?: boolean;
    readonly alone?: boolean;
    readonly weight?: number;
  } = {},
): Feature {
  return {
    name,
    weight: options.weight ?? 0.7,
    add: (network) => {
      // Within a tunnel a question about a stale entry is one more frame on the cable.
      if (network.items.some((item) => 'line' in item && item.line.includes('type vxlan'))) return false;
      const packet = network.aimable(network.packets);
      const to = network.hostAt(packet.destination);
      const from = network.host(packet.ns);
      if (!to || to === from || (options.asked && !network.realNeighbours)) return false;
      // Without link-local addresses an IPv6 router has nothing to ask from, and the entry would not last.
      if (options.askable && packet.family === 6 && !network.realNeighbours) return false;
      // Pods of one bridge ask for each other.
      const isSwitched = network.isSwitched(from, to);
      const way = isSwitched ? [from, to] : network.way(from, to);
      const at = network.draw.int(0, way.length - 2);
      const [here, next] = [way[at]!, way[at + 1]!];
      const device = network.deviceBetween(here, isSwitched ? network.host(here.node) : next);
      if (!device) return false;
      const isLast = next === to && !next.pod === !to.pod;
      const address = next.pod || !here.pod ? next.address[packet.family] : gatewayAddress(next.ns, packet.family);
      const dev = device.bridge ?? device.name;
      const mac =
        isLast && next.pod
          ? ownerOf(network, next.ns)
          : device.peer.ns === next.ns
            ? macOf(network, device.peer)
            : STRAY_MAC;
      network.add({
        kind: 'ip',
        ns: here.ns,
        line: `neigh replace ${address} dev ${dev} ${entry(mac)}`,
        feature: name,
      });
      // What an earlier packet teaches about neighbours is not in the state that was read.
      if (options.alone) network.packets.splice(0, network.packets.length, packet);
      return true;
    },
  };
}

/** A next hop that nobody but this entry knows of. One that failed is none: a simulator that takes it for one sends. */
function onlyNeighbour(state: string): Feature {
  const name = `neighbour ${state}`;
  return {
    name,
    weight: 0.7,
    add: (network) => {
      const aim = aimAt(network);
      if (!aim) return false;
      const { ns, family, output, mac } = aim;
      const number = network.draw.int(1, 200);
      const address = family === 4 ? `10.99.1.${number}` : `fe80::98:${number}`;
      const way = `route replace ${aim.destination}/${hostLength(family)} via ${address} dev ${output} onlink`;
      network.add({ kind: 'ip', ns, family, line: way });
      const entry = state === 'failed' ? 'nud failed' : `lladdr ${mac} nud ${state}`;
      const line = `neigh replace ${address} dev ${output} ${entry}`;
      const known = `${address} dev ${output} lladdr ${mac} PERMANENT`;
      const place = placeOf({ ...network.host(ns), name: ns, addresses: [] });
      const taken = [{ op: 'neighbour', place, text: 'as if known', act: 'add', line: known }] as const;
      network.add({ kind: 'ip', ns, family, line, feature: name, ...(state === 'failed' && { ignored: taken }) });
      return true;
    },
  };
}

function macOf(network: Network, end: { readonly ns: string; readonly name: string }): string {
  const device = network.devices.find((one) => one.ns === end.ns && one.name === end.name);
  if (device?.bridge === undefined) return device?.mac ?? STRAY_MAC;
  return end.ns === 'a' ? '02:00:00:01:00:01' : '02:00:00:02:00:01';
}

function gatewayAddress(node: string, family: 4 | 6): string {
  const index = node === 'a' ? 1 : 2;
  return family === 4 ? `10.1.${index}.1` : `fd00:1:${index}::1`;
}

export const NEIGHBOUR_FEATURES: readonly Feature[] = [
  neighbourFeature('neighbour wrong mac', () => `lladdr ${STRAY_MAC} nud permanent`, { weight: 0.4 }),
  onlyNeighbour('reachable'),
  neighbourFeature('neighbour stale', (mac) => `lladdr ${mac} nud stale`, { askable: true }),
  onlyNeighbour('noarp'),
  onlyNeighbour('permanent'),
  onlyNeighbour('failed'),
];
