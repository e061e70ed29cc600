import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, onlyFlannel } from '../fault-kit.ts';

export const fault: Fault = {
  id: 'link-down',
  causeId: 'link-down',
  story: `Someone takes the bridge cni0 of ${FAR} down: its route goes with it, the pods behind it are cut off.`,
  unfit: onlyFlannel,
  inject: async (bed) => {
    await bed.run(FAR, 'ip link set cni0 down');
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await bed.run(FAR, 'ip link set cni0 up');
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR, object: 'cni0' },
  gone: { leg: 'there', after: 'w2 out eth0' },
};
