import type { Fault } from '../fault.ts';
import { askFromClient, clusterIp, DEMO, expectConnect, makeService, NEAR, removeAll } from '../fault-kit.ts';

const SERVICE = makeService('web-old', { selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8088 }] });

export const fault: Fault = {
  id: 'wrong-target-port',
  causeId: 'wrong-target-port',
  story: 'The application moved from 8088 to 8080; the targetPort of its Service did not.',
  inject: async (bed) => {
    await bed.apply([SERVICE]);
    await expectConnect(bed, NEAR, await clusterIp(bed, SERVICE.metadata.name), 80, ['refused']);
  },
  heal: (bed) => removeAll(bed, [SERVICE]),
  questions: async (bed) => [await askFromClient(bed, `svc/${DEMO}/${SERVICE.metadata.name}:80`)],
  expect: { object: '8088' },
};
