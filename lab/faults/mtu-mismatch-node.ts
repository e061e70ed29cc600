import { UNDERLAY_MTU } from '../cluster/fabric.ts';
import type { Fault } from '../fault.ts';
import { acrossIsAlive, askPodToPod, FAR, onlyVxlan, smallOnesAlonePass } from '../fault-kit.ts';

const LOWERED = 1400;

export const fault: Fault = {
  id: 'mtu-mismatch-node',
  causeId: 'mtu-mismatch-node',
  story: `${FAR} came with an image that gives its NIC ${LOWERED} bytes; the other nodes send ${UNDERLAY_MTU}, and its NIC drops them.`,
  unfit: onlyVxlan,
  inject: async (bed) => {
    await bed.run(FAR, `ip link set eth0 mtu ${LOWERED}`);
    await smallOnesAlonePass(bed);
  },
  heal: async (bed) => {
    await bed.run(FAR, `ip link set eth0 mtu ${UNDERLAY_MTU}`);
    await bed.run(FAR, 'ip route flush cache');
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR, object: `eth0 MTU ${LOWERED}` },
};
