import type { Fault } from '../fault.ts';
import { askFromClient, clusterIp, DEMO, expectConnect, FAILED, NEAR } from '../fault-kit.ts';

const PORT = 8080;

export const fault: Fault = {
  id: 'service-missing-port',
  causeId: 'service-missing-port',
  story: "The user takes the pods' port for the Service's, which has only port 80.",
  inject: async (bed) => expectConnect(bed, NEAR, await clusterIp(bed, 'web'), PORT, FAILED),
  heal: async () => {}, // nothing is broken but the question
  questions: async (bed) => [await askFromClient(bed, `svc/${DEMO}/web:${PORT}`)],
  expect: { object: String(PORT) },
};
