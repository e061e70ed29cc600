import type { Fault } from '../fault.ts';
import { askFromClient, DEMO, expectConnect, FAR, makePod, NEAR, podRuns, removeAll, WEB_PORT } from '../fault-kit.ts';

const POD = makePod({ name: 'idle', worker: FAR });

export const fault: Fault = {
  id: 'no-listener',
  causeId: 'no-listener',
  story: 'The application runs but does not listen yet: no socket of the pod is open at all.',
  inject: async (bed) => {
    await bed.apply([POD]);
    const { status } = await podRuns(bed, POD.metadata.name);
    await expectConnect(bed, NEAR, status.podIP, WEB_PORT, ['refused']);
  },
  heal: (bed) => removeAll(bed, [POD]),
  questions: async (bed) => [await askFromClient(bed, `pod/${DEMO}/${POD.metadata.name}`, '--port', String(WEB_PORT))],
  expect: { node: FAR },
};
