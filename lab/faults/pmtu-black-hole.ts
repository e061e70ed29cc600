import type { Bed } from '../cluster/bed.ts';
import type { Fault } from '../fault.ts';
import {
  acrossIsAlive,
  askPodToPod,
  FAR,
  flannelRoute,
  insertRule,
  NEAR,
  onlyFlannel,
  removeRule,
  restoreRoute,
  smallOnesAlonePass,
} from '../fault-kit.ts';

const CARRIES = 1350;
const RULE = '-p icmp --icmp-type fragmentation-needed -j DROP';

const lowerRoute = async (bed: Bed): Promise<void> => {
  await bed.run(NEAR, `ip route replace ${await flannelRoute(bed, FAR)} mtu ${CARRIES}`);
};

export const fault: Fault = {
  id: 'pmtu-black-hole',
  causeId: 'pmtu-black-hole',
  story:
    `The way from ${NEAR} to the other nodes carries ${CARRIES} bytes, the pods have more, and a firewall that takes all ICMP for an ` +
    'attack drops what the node would tell its pods. Connections open; whatever is large hangs.',
  unfit: onlyFlannel,
  inject: async (bed) => {
    await lowerRoute(bed);
    await insertRule(bed, NEAR, 'OUTPUT', RULE);
    await smallOnesAlonePass(bed);
  },
  heal: async (bed) => {
    await removeRule(bed, NEAR, 'OUTPUT', RULE);
    await restoreRoute(bed, NEAR, FAR);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: NEAR, object: 'filter OUTPUT rule' },
};
