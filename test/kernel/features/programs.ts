import type { Feature } from '../feature.ts';
import { frameAim } from './nft-frames.ts';

/*
 * Filters of tc: classic BPF programs of one instruction, which let the packet pass (`-1`, `TC_ACT_OK`) or now and then drop it. The walk
 * must see that there is one, and say that it cannot know. XDP's program is loaded by the driver (bpf(2)).
 */

const PASSES = ["bpf bytecode '1,6 0 0 4294967295'", "bpf da bytecode '1,6 0 0 0'"] as const;
const DROPS = "bpf da bytecode '1,6 0 0 2'";

function filterAt(direction: 'ingress' | 'egress'): Feature {
  const name = `tc filter ${direction}`;
  return {
    name,
    isUndecidable: true,
    add: (network) => {
      const aim = frameAim(network, ({ leaves }) => leaves === (direction === 'egress'));
      if (!aim) return false;
      const { ns, name: device } = aim.device;
      if (network.items.some((item) => item.kind === 'tc' && item.ns === ns)) return false;
      const program = network.draw.chance(0.75) ? network.draw.pick(PASSES) : DROPS;
      network.add({ kind: 'tc', ns, line: `qdisc add dev ${device} clsact` });
      network.add({ kind: 'tc', ns, line: `filter add dev ${device} ${direction} ${program}`, feature: name });
      return true;
    },
  };
}

/** The same of XDP: the walk sees its name on the device. */
const XDP: Feature = {
  name: 'xdp',
  isUndecidable: true,
  add: (network) => {
    const aim = frameAim(network, ({ leaves }) => !leaves);
    if (!aim) return false;
    const { ns, name: device } = aim.device;
    if (network.items.some((item) => item.kind === 'xdp' && item.ns === ns && item.device === device)) return false;
    network.add({ kind: 'xdp', ns, device, act: network.draw.chance(0.85) ? 'pass' : 'drop', feature: 'xdp' });
    return true;
  },
};

export const PROGRAM_FEATURES: readonly Feature[] = [filterAt('ingress'), filterAt('egress'), XDP];
