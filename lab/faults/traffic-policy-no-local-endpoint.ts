import type { Fault } from '../fault.ts';
import {
  askFromClient,
  clusterIp,
  DEMO,
  expectConnect,
  FAR,
  makePod,
  makeService,
  NEAR,
  podRuns,
  removeAll,
  WEB_PORT,
} from '../fault-kit.ts';

const POD = makePod({ name: 'cache', worker: FAR, server: true });
const SERVICE = makeService('cache', {
  selector: { app: 'cache' },
  internalTrafficPolicy: 'Local',
  ports: [{ port: 80, targetPort: WEB_PORT }],
});

export const fault: Fault = {
  id: 'traffic-policy-no-local-endpoint',
  causeId: 'traffic-policy-no-local-endpoint',
  story: `internalTrafficPolicy Local, and the only endpoint is on ${FAR}: from ${NEAR} every connection is dropped.`,
  inject: async (bed) => {
    await bed.apply([POD, SERVICE]);
    await podRuns(bed, POD.metadata.name);
    const address = await clusterIp(bed, SERVICE.metadata.name);
    await expectConnect(bed, FAR, address, 80, ['connected']);
    await expectConnect(bed, NEAR, address, 80, ['timed-out', 'refused']);
  },
  heal: (bed) => removeAll(bed, [SERVICE, POD]),
  questions: async (bed) => [await askFromClient(bed, `svc/${DEMO}/${SERVICE.metadata.name}:80`)],
  expect: { node: NEAR, object: 'internalTrafficPolicy' },
};
