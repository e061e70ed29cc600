import type { Bed } from '../cluster/bed.ts';
import { UNDERLAY_MTU } from '../cluster/fabric.ts';
import { FAR, NEAR, onlyVxlan, podAddress } from '../fault-kit.ts';
import type { Oddity } from '../oddity.ts';

const LOWERED = UNDERLAY_MTU - 50;
const LARGEST = 1422; // with its headers exactly a pod's MTU of 1450

/** Both ends: a veth device that is smaller than what its peer sends drops it. */
const setMtu = async (bed: Bed, mtu: number): Promise<void> => {
  for (const worker of bed.layout.workerNames) await bed.run(worker, `ip link set eth0 mtu ${mtu}`);
};

export const oddity: Oddity = {
  id: 'outer-fragmentation',
  story: `The NICs are lowered to ${LOWERED} after flannel started: the nodes fragment their outer packets, and all arrive.`,
  unfit: onlyVxlan,
  make: async (bed) => {
    await setMtu(bed, LOWERED);
    const client = await bed.demoPod('client', NEAR);
    const ping = `ping -c 1 -W 1 -M do -s ${LARGEST} ${await podAddress(bed, 'web', FAR)}`;
    await bed.waitFor('the largest packets of a pod arriving', async () => {
      const { code, stdout } = await bed.inPod(client, ping);
      return code === 0 || stdout;
    });
  },
  undo: async (bed) => {
    await setMtu(bed, UNDERLAY_MTU);
    for (const worker of bed.layout.workerNames) await bed.run(worker, 'ip route flush cache');
  },
};
