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

/** The entry for the next hop of a packet bears a MAC that is nobody's. */
const WRONG: Feature = {
  name: 'neighbour wrong mac',
  weight: 0.4,
  add: (network) => {
    const packet = network.aimable(network.packets);
    const to = network.hostAt(packet.destination);
    const from = network.host(packet.ns);
    if (!to || to === from) return false;
    // Pods of one bridge ask for each other.
    const isSwitched = network.isSwitched(from, to);
    const way = isSwitched ? [from, to] : network.way(from, to);
    const at = network.draw.int(0, way.length - 2);
    const [here, next] = [way[at]!, way[at + 1]!];
    const device = network.deviceBetween(here, isSwitched ? network.host(here.node) : next);
    if (!device) return false;
    const address = next.pod || !here.pod ? next.address[packet.family] : gatewayAddress(next.ns, packet.family);
    const line = `neigh replace ${address} dev ${device.bridge ?? device.name} lladdr ${STRAY_MAC} nud permanent`;
    network.add({ kind: 'ip', ns: here.ns, line, feature: 'neighbour wrong mac' });
    return true;
  },
};

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

function gatewayAddress(node: string, family: 4 | 6): string {
  const index = node === 'a' ? 1 : 2;
  return family === 4 ? `10.1.${index}.1` : `fd00:1:${index}::1`;
}

export const NEIGHBOUR_FEATURES: readonly Feature[] = [
  WRONG,
  onlyNeighbour('reachable'),
  onlyNeighbour('stale'),
  onlyNeighbour('noarp'),
  onlyNeighbour('permanent'),
  onlyNeighbour('failed'),
];
