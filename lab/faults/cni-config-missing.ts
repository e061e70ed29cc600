import { pathOf } from '../cluster/api.ts';
import type { Bed } from '../cluster/bed.ts';
import type { Fault } from '../fault.ts';
import { askFromClient, DEMO, FAR, makePod, onlyFlannel, removeAll, WEB_PORT } from '../fault-kit.ts';

const FOLDER = '/etc/cni/net.d';
const FILE = '10-flannel.conflist';
const POD = makePod({ name: 'stranded', worker: FAR, server: true });

const nodeReady = async (bed: Bed, wanted: boolean): Promise<void> =>
  bed.waitFor(`${FAR} ${wanted ? 'Ready' : 'NotReady'}`, async () => {
    const { status } = await bed.api.get(pathOf('Node', undefined, FAR));
    const ready = status.conditions.find((each: { type: string }) => each.type === 'Ready');
    return (ready.status === 'True') === wanted || ready.message;
  });

export const fault: Fault = {
  id: 'cni-config-missing',
  causeId: 'cni-config-missing',
  story: `A clean-up empties ${FOLDER} on ${FAR}: running pods go on, new ones get no network.`,
  unfit: onlyFlannel,
  inject: async (bed) => {
    await bed.run(FAR, `mv ${FOLDER}/${FILE} /var/tmp/${FILE}`);
    await nodeReady(bed, false);
    await bed.apply([POD]);
    await bed.waitFor('a pod without network', async () => {
      const { status } = await bed.api.get(pathOf('Pod', DEMO, POD.metadata.name));
      return (status.phase === 'Pending' && Boolean(status.containerStatuses)) || status.phase;
    });
  },
  heal: async (bed) => {
    await bed.attempt(FAR, `mv /var/tmp/${FILE} ${FOLDER}/${FILE}`);
    await removeAll(bed, [POD]);
    await nodeReady(bed, true);
  },
  questions: async (bed) => [await askFromClient(bed, `pod/${DEMO}/${POD.metadata.name}`, '--port', String(WEB_PORT))],
  expect: { node: FAR, object: FOLDER },
};
