import type { KernelCase } from './case.ts';
import type { Draw } from './draw.ts';
import { drawPacket, PORTS } from './draw-packet.ts';
import type { Feature, Layout } from './feature.ts';
import { Network } from './network.ts';
import { layOut } from './topology.ts';
import { weighed } from './weights.ts';

/** Each forks the walk. */
const UNDECIDABLE_MAX = 2;
/** Where neighbours ask each other, often one packet only is left to aim at. */
const ASKING_MAX = 4;

/** A random network with a random choice of features, aimed at its packets. */
export function generateCase(draw: Draw, features: readonly Feature[]): KernelCase {
  const network = new Network(draw);
  const wanted = chosen(draw, features);
  const layout = layoutFor(draw, wanted);
  layOut(network, layout);
  addSockets(network);
  const packets = draw.int(4, 6);
  for (let index = 0; index < packets; index++) network.packets.push(drawPacket(network, index));
  const added = wanted
    .slice(0, layout.asks ? ASKING_MAX : wanted.length)
    .filter((feature) => feature.add(network))
    .map((feature) => feature.name);
  return network.finished([...new Set(added)].join(', '));
}

/** Features that want the same layout, if they want one. */
function chosen(draw: Draw, features: readonly Feature[]): readonly Feature[] {
  const all = weighed(features);
  const count = draw.int(5, 11);
  const list: Feature[] = [];
  for (let tries = 0; tries < 3 * count && list.length < count; tries++) {
    const { feature } = draw.weighted(all);
    const isOneMore = feature.isUndecidable && list.filter((one) => one.isUndecidable).length >= UNDECIDABLE_MAX;
    if (!list.includes(feature) && !isOneMore && list.every((other) => areTogether(other, feature))) list.push(feature);
  }
  return list;
}

function areTogether({ wants: a = {} }: Feature, { wants: b = {} }: Feature): boolean {
  return (['nodes', 'pods', 'bridged', 'asks'] as const).every(
    (key) => a[key] === undefined || b[key] === undefined || a[key] === b[key],
  );
}

function layoutFor(draw: Draw, wanted: readonly Feature[]): Layout {
  const any: Layout = { nodes: draw.chance(0.45) ? 2 : 1, bridged: draw.chance(0.5), asks: draw.chance(0.1) };
  return Object.assign({}, any, ...wanted.map(({ wants }) => wants)) as Layout;
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
