import type { Bed } from '../cluster/bed.ts';
import type { Fault } from '../fault.ts';
import { acrossIsAlive, askPodToPod, FAR, onlyVxlan, smallOnesAlonePass, vethOf } from '../fault-kit.ts';

const POD_MTU = 1450;
const LOWERED = 1350;

/** The bridge has had its own MTU given by the CNI plug-in, or follows its smallest port: it gets its own again. */
const setHostEnd = async (bed: Bed, mtu: number): Promise<void> => {
  const veth = await vethOf(bed, await bed.demoPod('web', FAR));
  await bed.run(FAR, `ip link set ${veth} mtu ${mtu}`);
  await bed.run(FAR, `ip link set cni0 mtu ${POD_MTU}`);
};

export const fault: Fault = {
  id: 'mtu-mismatch-veth',
  causeId: 'mtu-mismatch-veth',
  story: `A script gave the host's end of the server's cable ${LOWERED} bytes; the pod's end and the bridge still have ${POD_MTU}.`,
  unfit: onlyVxlan,
  inject: async (bed) => {
    await setHostEnd(bed, LOWERED);
    await smallOnesAlonePass(bed);
  },
  heal: async (bed) => {
    await setHostEnd(bed, POD_MTU);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR, object: `MTU ${LOWERED}` },
};
