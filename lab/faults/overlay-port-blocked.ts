import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, insertRule, onlyVxlan, removeRule } from '../fault-kit.ts';

const RULE = '-p udp --dport 8472 -j DROP';

export const fault: Fault = {
  id: 'overlay-port-blocked',
  causeId: 'overlay-port-blocked',
  story: `The firewall of ${FAR} lets in what its administrator knows of, and flannel's UDP port is not among it.`,
  unfit: onlyVxlan,
  inject: async (bed) => {
    await insertRule(bed, FAR, 'INPUT', RULE);
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await removeRule(bed, FAR, 'INPUT', RULE);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR, object: '8472' },
  gone: { leg: 'there', after: 'w2 in eth0', before: 'w2 in flannel.1' },
};
