import type { Fault } from '../fault.ts';
import { DEMO, makePod, NEAR, podRuns, removeAll } from '../fault-kit.ts';

const NAME = 'web.demo.svc.cluster.local';
const POD = makePod({ name: 'legacy', worker: NEAR, spec: { dnsPolicy: 'Default' } });

export const fault: Fault = {
  id: 'dns-wrong-nameserver',
  causeId: 'dns-wrong-nameserver',
  story: "A pod with dnsPolicy Default asks the company's nameserver, which knows nothing of the cluster.",
  inject: async (bed) => {
    await bed.apply([POD]);
    const pod = await podRuns(bed, POD.metadata.name);
    await bed.waitFor('the wrong answer', async () => {
      const answer = await bed.resolve(pod, NAME);
      return answer === 'NXDOMAIN' || answer;
    });
  },
  heal: (bed) => removeAll(bed, [POD]),
  questions: async () => [{ args: [`pod/${DEMO}/${POD.metadata.name}`, `${NAME}:80`] }],
  expect: { object: 'dnsPolicy' },
};
