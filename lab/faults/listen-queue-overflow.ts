import type { Fault } from '../fault.ts';
import { askFromClient, DEMO, expectConnect, FAR, makePod, NEAR, podRuns, removeAll, WEB_PORT } from '../fault-kit.ts';

/** One worker and a short queue, and clients of its own that stay: nobody is accepted any more, and the queue is full. */
const POD = makePod({
  name: 'busy',
  worker: FAR,
  command: [
    'sh',
    '-c',
    [
      `socat TCP-LISTEN:${WEB_PORT},fork,reuseaddr,backlog=1,max-children=1 EXEC:cat &`,
      'sleep 1',
      `for client in 1 2 3 4; do socat TCP:127.0.0.1:${WEB_PORT} EXEC:'sleep 86400' & done`,
      'wait',
    ].join('\n'),
  ],
});

export const fault: Fault = {
  id: 'listen-queue-overflow',
  causeId: 'listen-queue-overflow',
  story:
    'The application has one worker, and that is busy: it listens, but accepts nobody. Its queue of connections is full, and every further SYN is dropped.',
  inject: async (bed) => {
    await bed.apply([POD]);
    const { status } = await podRuns(bed, POD.metadata.name);
    await expectConnect(bed, NEAR, status.podIP, WEB_PORT, ['timed-out']);
  },
  heal: (bed) => removeAll(bed, [POD]),
  questions: async (bed) => [await askFromClient(bed, `pod/${DEMO}/${POD.metadata.name}`, '--port', String(WEB_PORT))],
  expect: { node: FAR, object: `tcp port ${WEB_PORT}` },
};
