import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, onlyFlannel, vethOf } from '../fault-kit.ts';

export const fault: Fault = {
  id: 'pod-veth-broken',
  causeId: 'pod-veth-broken',
  story: `NetworkManager takes the web pod's veth on ${FAR} out of the bridge cni0.`,
  unfit: onlyFlannel,
  inject: async (bed) => {
    await bed.run(FAR, `ip link set ${await vethOf(bed, await bed.demoPod('web', FAR))} nomaster`);
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    const veth = await vethOf(bed, await bed.demoPod('web', FAR));
    await bed.run(FAR, `ip link set ${veth} master cni0`);
    await bed.run(FAR, `bridge link set dev ${veth} hairpin on`);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR },
  gone: { leg: 'there', after: 'w2 out cni0', before: 'w2 out veth*' },
};
