import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, NEAR, onlyFlannel, restoreRoute } from '../fault-kit.ts';

export const fault: Fault = {
  id: 'pod-cidr-route-missing-back',
  causeId: 'pod-cidr-route-missing',
  story: `The way there is whole; ${FAR} has no route back to the pods of ${NEAR}, so that no answer comes.`,
  unfit: onlyFlannel,
  inject: async (bed) => {
    await bed.run(FAR, `ip route del ${await bed.podCidr(NEAR)}`);
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await restoreRoute(bed, FAR, NEAR);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR },
  gone: { leg: 'back', after: 'w2 out eth0' },
};
