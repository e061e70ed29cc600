import { pathOf } from '../cluster/api.ts';
import type { Bed } from '../cluster/bed.ts';
import type { Fault } from '../fault.ts';
import {
  askFromClient,
  clusterIp,
  DEMO,
  expectConnect,
  FAR,
  makePod,
  makeWebService,
  NEAR,
  podRuns,
  removeAll,
} from '../fault-kit.ts';

const POD = makePod({ name: 'orders', worker: FAR, server: true });
const SERVICE = makeWebService('orders');

const signalProxy = (bed: Bed, signal: 'STOP' | 'CONT'): Promise<string> =>
  bed.run(NEAR, `pkill -${signal} -x kube-proxy`);

const recreatePod = async (bed: Bed): Promise<void> => {
  const path = pathOf('Pod', DEMO, POD.metadata.name);
  await bed.api.remove(path);
  await bed.waitFor('the end of the old pod', async () => !(await bed.api.find(path)) || 'it is still there');
  await bed.apply([POD]);
  await podRuns(bed, POD.metadata.name);
};

export const fault: Fault = {
  id: 'kube-proxy-stale',
  causeId: 'kube-proxy-stale',
  story: `kube-proxy on ${NEAR} hangs while the Service's pod is replaced: its rules lead to an address that is gone.`,
  inject: async (bed) => {
    await bed.apply([POD, SERVICE]);
    await podRuns(bed, POD.metadata.name);
    const address = await clusterIp(bed, SERVICE.metadata.name);
    await expectConnect(bed, NEAR, address, 80, ['connected']);
    await signalProxy(bed, 'STOP');
    await recreatePod(bed);
    await expectConnect(bed, FAR, address, 80, ['connected']);
    await expectConnect(bed, NEAR, address, 80, ['timed-out', 'unreachable', 'refused']);
  },
  heal: async (bed) => {
    await signalProxy(bed, 'CONT');
    await removeAll(bed, [SERVICE, POD]);
    await bed.waitReady('kube-system', 'k8s-app=kube-proxy', bed.layout.workers);
  },
  questions: async (bed) => [await askFromClient(bed, `svc/${DEMO}/${SERVICE.metadata.name}:80`)],
  expect: { node: NEAR },
};
