import type { Fault } from '../fault.ts';
import { askFromClient, clusterIp, DEMO, NEAR } from '../fault-kit.ts';

export const fault: Fault = {
  id: 'ping-not-permitted-service',
  causeId: 'ping-not-permitted',
  story: "A ClusterIP is no machine's address: it does not answer to ping, while its ports work.",
  inject: async (bed) => {
    const { code } = await bed.inPod(
      await bed.demoPod('client', NEAR),
      `ping -c 1 -W 1 ${await clusterIp(bed, 'web')}`,
    );
    if (code === 0) throw new Error('the ClusterIP answers to ping');
  },
  heal: async () => {}, // nothing is broken but the question
  questions: async (bed) => [await askFromClient(bed, `svc/${DEMO}/web`, '--protocol', 'icmp')],
  expect: { exit: 0 },
};
