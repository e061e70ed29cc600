import { FABRIC } from '../cluster/layout.ts';
import type { Fault } from '../fault.ts';
import { acrossIsAlive, askPodToPod, FAR, insertRule, NEAR, onlyVxlan, podAddress, removeRule } from '../fault-kit.ts';

const CARRIES = 1400;
const RULE = `-p udp --dport 8472 -m length --length ${CARRIES + 1}:65535 -j DROP`;
const LARGE = 1422; // with its headers exactly a pod's MTU of 1450
const SMALL = 100;

export const fault: Fault = {
  id: 'overlay-mtu-too-large',
  causeId: 'overlay-mtu-too-large',
  story:
    `The nodes believe in 1500 bytes, the network between them carries ${CARRIES} and says nothing when it drops. ` +
    'Only the overlay is hit here, so that the API stays usable.',
  unfit: onlyVxlan,
  inject: async (bed) => {
    await insertRule(bed, FABRIC, 'FORWARD', RULE);
    const client = await bed.demoPod('client', NEAR);
    const address = await podAddress(bed, 'web', FAR);
    const passes = async (bytes: number): Promise<boolean> =>
      (await bed.inPod(client, `ping -c 1 -W 1 -M do -s ${bytes} ${address}`)).code === 0;
    await bed.waitFor('small packets alone passing', async () => {
      if (!(await passes(SMALL))) return 'small ones are lost too';
      return !(await passes(LARGE)) || 'large ones pass';
    });
  },
  heal: async (bed) => {
    await removeRule(bed, FABRIC, 'FORWARD', RULE);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { object: '1450' },
};
