import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, NEAR, onlyFlannel, restoreRoute } from '../fault-kit.ts';

export const fault: Fault = {
  id: 'pod-cidr-route-missing',
  causeId: 'pod-cidr-route-missing',
  story: `${NEAR} loses its route to the pods of ${FAR} (a network restart); flannel does not put it back.`,
  unfit: onlyFlannel,
  inject: async (bed) => {
    await bed.run(NEAR, `ip route del ${await bed.podCidr(FAR)}`);
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
