import { OUTSIDE } from '../cluster/layout.ts';
import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, NEAR, onlyFlannel, restoreRoute } from '../fault-kit.ts';

export const fault: Fault = {
  id: 'pod-cidr-route-wrong',
  causeId: 'pod-cidr-route-wrong',
  story: `${NEAR} sends what is for the pods of ${FAR} to another machine, which had that pod CIDR before.`,
  unfit: onlyFlannel,
  inject: async (bed) => {
    await bed.run(NEAR, `ip route replace ${await bed.podCidr(FAR)} via ${bed.address(OUTSIDE)} dev eth0`);
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await restoreRoute(bed, NEAR, FAR);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: NEAR },
  gone: { leg: 'there', after: 'w1 out eth0' },
};
