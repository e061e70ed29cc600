import { pathOf } from '../cluster/api.ts';
import type { Bed } from '../cluster/bed.ts';
import type { Fault } from '../fault.ts';
import { askFromClient, clusterIp, NEAR } from '../fault-kit.ts';

const COREDNS = pathOf('Deployment', 'kube-system', 'coredns');
const NAME = 'web.demo.svc.cluster.local';

const resolves = async (bed: Bed, wanted: (answer: string) => boolean): Promise<void> => {
  const client = await bed.demoPod('client', NEAR);
  await bed.waitFor(`the answer for ${NAME} on ${NEAR}`, async () => {
    const answer = await bed.resolve(client, NAME);
    return wanted(answer) || answer;
  });
};

export const fault: Fault = {
  id: 'dns-no-endpoints',
  causeId: 'dns-no-endpoints',
  story: 'CoreDNS is scaled to nothing: kube-dns has no endpoint, and no name resolves anywhere.',
  inject: async (bed) => {
    await bed.api.patch(COREDNS, { spec: { replicas: 0 } });
    await bed.waitFor('the end of CoreDNS', async () => {
      const left = await bed.api.list(`${pathOf('Pod', 'kube-system')}?labelSelector=k8s-app%3Dkube-dns`);
      return left.length === 0 || `${left.length} pods`;
    });
    await resolves(bed, (answer) => answer.startsWith('dig ended'));
  },
  heal: async (bed) => {
    const replicas = Math.min(2, bed.layout.workers);
    await bed.api.patch(COREDNS, { spec: { replicas } });
    await bed.waitReady('kube-system', 'k8s-app=kube-dns', replicas);
    const address = await clusterIp(bed, 'web');
    await resolves(bed, (answer) => answer === address);
  },
  questions: async (bed) => [await askFromClient(bed, `${NAME}:80`)],
  expect: { object: 'kube-dns' },
};
