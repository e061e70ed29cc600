import type { Fault } from '../fault.ts';
import { askFromClient, clusterIp, DEMO, expectConnect, FAILED, NEAR } from '../fault-kit.ts';

export const fault: Fault = {
  id: 'pod-default-route-missing',
  causeId: 'pod-default-route-missing',
  story: `A VPN client in the pod removes its default route: other pods of ${NEAR} are fine.`,
  inject: async (bed) => {
    await bed.inPod(await bed.demoPod('client', NEAR), 'ip route del default');
    await expectConnect(bed, NEAR, await clusterIp(bed, 'web'), 80, FAILED);
  },
  heal: async (bed) => {
    const gateway = (await bed.podCidr(NEAR)).replace(/\.0\/\d+$/, '.1');
    await bed.inPod(await bed.demoPod('client', NEAR), `ip route replace default via ${gateway} dev eth0`);
    await expectConnect(bed, NEAR, await clusterIp(bed, 'web'), 80, ['connected']);
  },
  questions: async (bed) => [await askFromClient(bed, `svc/${DEMO}/web:80`)],
  expect: { node: NEAR },
};
