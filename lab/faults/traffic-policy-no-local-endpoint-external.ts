import { OUTSIDE } from '../cluster/layout.ts';
import type { Fault } from '../fault.ts';
import { DEMO, FAR, makePod, makeService, NEAR, podRuns, removeAll, WEB_PORT } from '../fault-kit.ts';

const NODE_PORT = 30090;
const POD = makePod({ name: 'edge', worker: FAR, server: true });
const SERVICE = makeService('edge', {
  type: 'NodePort',
  externalTrafficPolicy: 'Local',
  selector: { app: 'edge' },
  ports: [{ port: 80, targetPort: WEB_PORT, nodePort: NODE_PORT }],
});

const curl = (address: string): readonly string[] => [
  'curl',
  '-sS',
  '-m',
  '1',
  '-o',
  '/dev/null',
  `http://${address}:${NODE_PORT}/`,
];

export const fault: Fault = {
  id: 'traffic-policy-no-local-endpoint-external',
  causeId: 'traffic-policy-no-local-endpoint',
  story: `externalTrafficPolicy Local, and the only endpoint is on ${FAR}: a client outside gets no answer from ${NEAR}.`,
  inject: async (bed) => {
    await bed.apply([POD, SERVICE]);
    await podRuns(bed, POD.metadata.name);
    await bed.waitFor(`the NodePort on ${FAR} only`, async () => {
      const far = await bed.attempt(OUTSIDE, curl(bed.address(FAR)));
      if (far.code !== 0) return `${FAR}: ${far.stderr}`;
      const near = await bed.attempt(OUTSIDE, curl(bed.address(NEAR)));
      return near.code !== 0 || `${NEAR} answers too`;
    });
  },
  heal: (bed) => removeAll(bed, [SERVICE, POD]),
  questions: async (bed) => [{ args: [`ip/${bed.address(OUTSIDE)}`, `node/${NEAR}:${NODE_PORT}`] }],
  expect: { node: NEAR, object: `${DEMO}/edge` },
};
