import { FABRIC } from '../cluster/layout.ts';
import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, insertRule, onlyVxlan, removeRule } from '../fault-kit.ts';

const RULE = '-p udp --dport 8472 -j DROP';

export const fault: Fault = {
  id: 'overlay-port-blocked-fabric',
  causeId: 'overlay-port-blocked',
  story: 'A security group between the nodes lets TCP pass and drops UDP 8472: no node has a rule to show for it.',
  unfit: onlyVxlan,
  inject: async (bed) => {
    await insertRule(bed, FABRIC, 'FORWARD', RULE);
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await removeRule(bed, FABRIC, 'FORWARD', RULE);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { object: '8472' },
  gone: { leg: 'there', after: 'w1 out eth0', before: 'w2 in eth0' },
};
