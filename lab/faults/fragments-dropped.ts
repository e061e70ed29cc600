import type { Bed } from '../cluster/bed.ts';
import { UNDERLAY_MTU } from '../cluster/fabric.ts';
import { FABRIC } from '../cluster/layout.ts';
import type { Fault } from '../fault.ts';
import {
  acrossIsAlive,
  askPodToPod,
  insertRule,
  NEAR,
  onlyVxlan,
  removeRule,
  smallOnesAlonePass,
} from '../fault-kit.ts';

const LOWERED = UNDERLAY_MTU - 50;
const RULE = '-f -j DROP';

const setMtu = async (bed: Bed, mtu: number): Promise<void> => {
  for (const worker of bed.layout.workerNames) await bed.run(worker, `ip link set eth0 mtu ${mtu}`);
};

export const fault: Fault = {
  id: 'fragments-dropped',
  causeId: 'fragments-dropped',
  story:
    `The NICs are lowered to ${LOWERED} after flannel started, so that the nodes fragment their outer packets; a firewall between them ` +
    'drops fragments. With the NICs alone all would work.',
  unfit: onlyVxlan,
  inject: async (bed) => {
    await setMtu(bed, LOWERED);
    await insertRule(bed, FABRIC, 'FORWARD', RULE);
    await smallOnesAlonePass(bed);
  },
  heal: async (bed) => {
    await removeRule(bed, FABRIC, 'FORWARD', RULE);
    await setMtu(bed, UNDERLAY_MTU);
    for (const worker of bed.layout.workerNames) await bed.run(worker, 'ip route flush cache');
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: NEAR, object: 'fragments from' },
};
