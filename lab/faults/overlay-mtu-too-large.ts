import { FABRIC } from '../cluster/layout.ts';
import type { Fault } from '../fault.ts';
import { acrossIsAlive, askPodToPod, insertRule, onlyVxlan, removeRule, smallOnesAlonePass } from '../fault-kit.ts';

const CARRIES = 1400;
const RULE = `-p udp --dport 8472 -m length --length ${CARRIES + 1}:65535 -j DROP`;

export const fault: Fault = {
  id: 'overlay-mtu-too-large',
  causeId: 'overlay-mtu-too-large',
  story:
    `The nodes believe in 1500 bytes, the network between them carries ${CARRIES} and says nothing when it drops. ` +
    'Only the overlay is hit here, so that the API stays usable.',
  unfit: onlyVxlan,
  inject: async (bed) => {
    await insertRule(bed, FABRIC, 'FORWARD', RULE);
    await smallOnesAlonePass(bed);
  },
  heal: async (bed) => {
    await removeRule(bed, FABRIC, 'FORWARD', RULE);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { object: '1450' },
};
