import type { Bed } from '../cluster/bed.ts';
import { LARGE_NAME } from '../cluster/fabric.ts';
import { FABRIC } from '../cluster/layout.ts';
import type { Fault } from '../fault.ts';
import { askFromClient, insertRule, NEAR, removeRule } from '../fault-kit.ts';

const RULE = '-p tcp --dport 53 -j DROP';

const answered = async (bed: Bed, wanted: (answer: string) => boolean): Promise<void> => {
  const client = await bed.demoPod('client', NEAR);
  await bed.waitFor(
    `the answer for ${LARGE_NAME}`,
    async () => {
      const answer = await bed.resolve(client, LARGE_NAME);
      return wanted(answer) || answer;
    },
    { timeoutMs: 75_000 }, // the whole answer stays in CoreDNS's cache for 30 s or its own 60 s
  );
};

export const fault: Fault = {
  id: 'dns-truncation',
  causeId: 'dns-truncation',
  story:
    "The company's firewall lets DNS through by UDP alone: a name whose answer does not fit is cut, and never comes whole. All others resolve.",
  inject: async (bed) => {
    await insertRule(bed, FABRIC, 'INPUT', RULE);
    await answered(bed, (answer) => answer === 'SERVFAIL' || answer.startsWith('dig ended'));
  },
  heal: async (bed) => {
    await removeRule(bed, FABRIC, 'INPUT', RULE);
    await answered(bed, (answer) => /^\d/.test(answer));
  },
  questions: async (bed) => [await askFromClient(bed, `${LARGE_NAME}:8080`)],
  expect: { object: 'TCP port 53 of' },
};
