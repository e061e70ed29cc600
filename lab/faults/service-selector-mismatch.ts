import type { Fault } from '../fault.ts';
import { askFromClient, clusterIp, DEMO, expectConnect, makeService, NEAR, removeAll, WEB_PORT } from '../fault-kit.ts';

const SERVICE = makeService('shop', {
  selector: { app: 'web', tier: 'frontend' },
  ports: [{ port: 80, targetPort: WEB_PORT }],
});

export const fault: Fault = {
  id: 'service-selector-mismatch',
  causeId: 'service-selector-mismatch',
  story: 'The Service selects a label that the pods do not carry: it has no endpoints, and the proxy rejects.',
  inject: async (bed) => {
    await bed.apply([SERVICE]);
    await expectConnect(bed, NEAR, await clusterIp(bed, SERVICE.metadata.name), 80, ['refused']);
  },
  heal: (bed) => removeAll(bed, [SERVICE]),
  questions: async (bed) => [await askFromClient(bed, `svc/${DEMO}/${SERVICE.metadata.name}:80`)],
  expect: { object: 'tier' },
};
