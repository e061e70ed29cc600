import type { Fault } from '../fault.ts';
import { askFromClient, DEMO, expectConnect, FAR, makePod, NEAR, podRuns, removeAll, WEB_PORT } from '../fault-kit.ts';

const POD = makePod({
  name: 'shy',
  worker: FAR,
  command: ['socat', `TCP-LISTEN:${WEB_PORT},bind=127.0.0.1,fork,reuseaddr`, 'EXEC:cat'],
});

export const fault: Fault = {
  id: 'listens-on-loopback',
  causeId: 'listens-on-loopback',
  story: 'The application listens on 127.0.0.1 only: its own health check passes, nobody else gets in.',
  inject: async (bed) => {
    await bed.apply([POD]);
    const pod = await podRuns(bed, POD.metadata.name);
    await bed.waitFor('the listener on 127.0.0.1', async () => {
      const outcome = await bed.connect(pod, '127.0.0.1', WEB_PORT);
      return outcome === 'connected' || outcome;
    });
    await expectConnect(bed, NEAR, pod.status.podIP, WEB_PORT, ['refused']);
  },
  heal: (bed) => removeAll(bed, [POD]),
  questions: async (bed) => [await askFromClient(bed, `pod/${DEMO}/${POD.metadata.name}`, '--port', String(WEB_PORT))],
  expect: { node: FAR, object: '127.0.0.1' },
};
