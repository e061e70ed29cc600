import type { Fault } from '../fault.ts';
import { askFromClient, NEAR } from '../fault-kit.ts';

const NAME = 'wbe.demo.svc.cluster.local';

export const fault: Fault = {
  id: 'dns-name-not-found',
  causeId: 'dns-name-not-found',
  story: 'The user has misspelt the name of the Service: the answer that it does not exist is right.',
  inject: async (bed) => {
    const answer = await bed.resolve(await bed.demoPod('client', NEAR), NAME);
    if (answer !== 'NXDOMAIN') throw new Error(`${NAME}: ${answer}`);
  },
  heal: async () => {}, // nothing is broken but the question
  questions: async (bed) => [await askFromClient(bed, `${NAME}:80`)],
  expect: { object: 'web' },
};
