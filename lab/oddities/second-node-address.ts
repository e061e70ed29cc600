import type { Bed } from '../cluster/bed.ts';
import type { Oddity } from '../oddity.ts';

/** .211 for .11, and so on: nobody else has these. */
const addressFor = (bed: Bed, worker: string): string => bed.address(worker).replace(/\.(\d+)$/, '.2$1/24');

export const oddity: Oddity = {
  id: 'second-node-address',
  story: 'Every worker has a second address on its NIC, as DHCP beside a static one leaves it; VXLAN does not mind.',
  make: async (bed) => {
    for (const worker of bed.layout.workerNames)
      await bed.run(worker, `ip addr add ${addressFor(bed, worker)} dev eth0`);
  },
  undo: async (bed) => {
    for (const worker of bed.layout.workerNames) {
      await bed.attempt(worker, `ip addr del ${addressFor(bed, worker)} dev eth0`);
    }
  },
};
