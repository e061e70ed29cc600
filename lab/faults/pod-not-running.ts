import { pathOf } from '../cluster/api.ts';
import type { Fault } from '../fault.ts';
import { askFromClient, DEMO, FAR, makePod, removeAll, WEB_PORT } from '../fault-kit.ts';

const POD = makePod({
  name: 'crashing',
  worker: FAR,
  command: ['sh', '-c', 'echo "cannot read /etc/app/config.yaml" >&2; exit 3'],
});

export const fault: Fault = {
  id: 'pod-not-running',
  causeId: 'pod-not-running',
  story: 'The target crashes at its start; its sandbox has an address and refuses every connection.',
  inject: async (bed) => {
    await bed.apply([POD]);
    await bed.waitFor('the pod in its crash loop', async () => {
      const { status } = await bed.api.get(pathOf('Pod', DEMO, POD.metadata.name));
      const container = status.containerStatuses?.[0];
      const crashedTwice = container?.restartCount >= 1 && !container.state.running;
      return crashedTwice || JSON.stringify(container?.state ?? status.phase);
    });
  },
  heal: (bed) => removeAll(bed, [POD]),
  questions: async (bed) => [await askFromClient(bed, `pod/${DEMO}/${POD.metadata.name}`, '--port', String(WEB_PORT))],
  expect: { object: POD.metadata.name },
};
