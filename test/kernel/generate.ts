import type { Family } from '../../src/net/address.ts';
import type { CasePacket, KernelCase } from './case.ts';
import type { Draw } from './draw.ts';
import type { Feature } from './feature.ts';
import { Network } from './network.ts';
import { layOut } from './topology.ts';

/** Ports that every namespace listens on, and one that none does. */
const PORTS = [53, 80, 443, 8080] as const;
const CLOSED_PORT = 9;
const FIRST_SOURCE_PORT = 20_000;

/** A random network with a random choice of features, aimed at its packets. `chosen` are wanted more than others. */
export function generateCase(draw: Draw, features: readonly Feature[], chosen: readonly Feature[] = []): KernelCase {
  const network = new Network(draw);
  layOut(network);
  addSockets(network);
  const packets = draw.int(2, 8);
  for (let index = 0; index < packets; index++) network.packets.push(drawPacket(network, index));
  const wanted = [...chosen, ...Array.from({ length: draw.int(2, 8) }, () => draw.weighted(features))];
  const added = wanted.filter((feature) => feature.add(network)).map((feature) => feature.name);
  return network.finished([...new Set(added)].join(', '));
}

function addSockets(network: Network): void {
  for (const { ns } of network.hosts) {
    for (const port of PORTS) {
      for (const protocol of ['tcp', 'udp'] as const) {
        // One dual-stack socket stands for both families.
        network.add({ kind: 'socket', ns, socket: { protocol, family: 6, address: '::', port } });
      }
    }
  }
}

function drawPacket(network: Network, index: number): CasePacket {
  const { draw } = network;
  const family: Family = draw.chance(0.6) ? 4 : 6;
  const from = draw.pick(network.hosts);
  const others = network.hosts.filter((one) => one !== from);
  const to = draw.chance(0.04) ? from : draw.pick(others);
  const protocol = draw.pick(['tcp', 'tcp', 'udp', 'udp', 'udp', 'icmp'] as const);
  return {
    ns: from.ns,
    family,
    protocol,
    sourcePort: FIRST_SOURCE_PORT + index,
    destination: to.address[family],
    destinationPort: protocol === 'icmp' ? 0 : draw.chance(0.08) ? CLOSED_PORT : draw.pick(PORTS),
    payloadBytes: protocol === 'icmp' ? draw.pick([16, 64, 500]) : draw.pick([1, 20, 100, 1000, 1400]),
    df: draw.chance(0.7),
    ...(protocol !== 'tcp' && draw.chance(0.2) ? { ttl: draw.int(1, 5) } : {}),
    ...(draw.chance(0.15) ? { tos: draw.pick([0x10, 0x28, 0xb8]) } : {}),
    ...(draw.chance(0.1) ? { uid: 1337, gid: 1337 } : {}),
    ...(draw.chance(0.1) ? { mark: draw.pick([1, 2, 0x4000, 0x8001]) } : {}),
  };
}
