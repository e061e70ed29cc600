import type { Feature } from '../feature.ts';
import { frameAim } from './nft-frames.ts';

/*
 * Filters of tc: classic BPF programs of one instruction, which let the packet pass (`-1`, `TC_ACT_OK`) or now and then drop it. The walk
 * must see that there is one, and say that it cannot know.
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
      const program = network.draw.chance(0.85) ? network.draw.pick(PASSES) : DROPS;
      network.add({ kind: 'tc', ns, line: `qdisc add dev ${device} clsact` });
      network.add({ kind: 'tc', ns, line: `filter add dev ${device} ${direction} ${program}`, feature: name });
      return true;
    },
  };
}

export const PROGRAM_FEATURES: readonly Feature[] = [filterAt('ingress'), filterAt('egress')];
