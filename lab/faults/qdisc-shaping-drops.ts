import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, vethOf } from '../fault-kit.ts';

export const fault: Fault = {
  id: 'qdisc-shaping-drops',
  causeId: 'qdisc-shaping-drops',
  story: `Somebody limits the bandwidth of the web pod on ${FAR} by hand, with a bucket smaller than a packet: tbf drops every one.`,
  inject: async (bed) => {
    const veth = await vethOf(bed, await bed.demoPod('web', FAR));
    await bed.run(FAR, `tc qdisc replace dev ${veth} root tbf rate 1kbit burst 70 limit 1000`);
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    const veth = await vethOf(bed, await bed.demoPod('web', FAR));
    await bed.attempt(FAR, `tc qdisc del dev ${veth} root`);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR, object: 'qdisc tbf' },
  gone: { leg: 'there', after: 'w2 out cni0', before: 'w2 out veth*' },
};
