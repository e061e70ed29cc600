import type { Bed } from '../cluster/bed.ts';
import { FABRIC } from '../cluster/layout.ts';
import type { Fault } from '../fault.ts';
import { askFromClient, insertRule, NEAR, removeRule } from '../fault-kit.ts';

/** Asked for by nothing else: CoreDNS must not have it in its cache. */
const NAME = 'api.corp.test';
const RULES = ['-p udp --dport 53 -j DROP', '-p tcp --dport 53 -j DROP'];

const answered = async (bed: Bed, wanted: (answer: string) => boolean): Promise<void> => {
  const client = await bed.demoPod('client', NEAR);
  await bed.waitFor(
    `the answer for ${NAME}`,
    async () => {
      const answer = await bed.resolve(client, NAME);
      return wanted(answer) || answer;
    },
    { timeoutMs: 45_000 }, // a name asked for before stays in CoreDNS's cache for 30 s
  );
};

export const fault: Fault = {
  id: 'dns-upstream-unreachable',
  causeId: 'dns-upstream-unreachable',
  story: "A firewall change cuts CoreDNS off from the company's nameserver: the cluster's own names still resolve.",
  inject: async (bed) => {
    for (const rule of RULES) await insertRule(bed, FABRIC, 'INPUT', rule);
    await answered(bed, (answer) => answer === 'SERVFAIL' || answer.startsWith('dig ended'));
  },
  heal: async (bed) => {
    for (const rule of RULES) await removeRule(bed, FABRIC, 'INPUT', rule);
    await answered(bed, (answer) => /^\d/.test(answer));
  },
  questions: async (bed) => [await askFromClient(bed, `${NAME}:6443`)],
  expect: {},
};
