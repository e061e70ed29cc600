import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, NEAR } from '../fault-kit.ts';

export const fault: Fault = {
  id: 'neighbour-unresolved',
  causeId: 'neighbour-unresolved',
  story: `${NEAR} has a permanent neighbour entry with the MAC that ${FAR} had before its NIC was replaced.`,
  inject: async (bed) => {
    await bed.run(NEAR, `ip neigh replace ${bed.address(FAR)} lladdr 02:00:5e:00:53:02 nud permanent dev eth0`);
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await bed.attempt(NEAR, `ip neigh del ${bed.address(FAR)} dev eth0`);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: NEAR, object: '02:00:5e:00:53:02' },
  gone: { leg: 'there', after: 'w1 out eth0', before: 'w2 in eth0' },
};
