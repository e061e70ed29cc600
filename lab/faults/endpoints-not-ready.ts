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
  WEB_PORT,
} from '../fault-kit.ts';

const POD = makePod({
  name: 'warming',
  worker: FAR,
  server: true,
  container: { readinessProbe: { httpGet: { path: '/healthz', port: WEB_PORT + 9 }, periodSeconds: 1 } },
});
const SERVICE = makeWebService('warming');

export const fault: Fault = {
  id: 'endpoints-not-ready',
  causeId: 'endpoints-not-ready',
  story: 'The only pod of the Service runs and serves, but its readiness probe asks a port that is closed.',
  inject: async (bed) => {
    await bed.apply([POD, SERVICE]);
    await podRuns(bed, POD.metadata.name);
    await expectConnect(bed, NEAR, await clusterIp(bed, SERVICE.metadata.name), 80, ['refused']);
  },
  heal: (bed) => removeAll(bed, [SERVICE, POD]),
  questions: async (bed) => [await askFromClient(bed, `svc/${DEMO}/${SERVICE.metadata.name}:80`)],
  expect: { object: POD.metadata.name },
};
