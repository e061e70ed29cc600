import type { Fault } from '../fault.ts';
import { askFromClient, DEMO, FAR, makePod, podRuns, removeAll } from '../fault-kit.ts';

const PORT = 8081;

/** Its receiver of datagrams is stopped, as one that hangs; then it gets more of them than its buffer takes. */
const POD = makePod({
  name: 'deaf',
  worker: FAR,
  command: [
    'bash',
    '-c',
    [
      `socat -u UDP-RECV:${PORT},rcvbuf=4608 OPEN:/dev/null & receiver=$!`,
      'sleep 1',
      'kill -STOP $receiver',
      `for number in $(seq 100); do echo $number > /dev/udp/127.0.0.1/${PORT}; done`,
      'sleep 86400',
    ].join('\n'),
  ],
});

export const fault: Fault = {
  id: 'udp-buffer-errors',
  causeId: 'udp-buffer-errors',
  story:
    'The application hangs and no longer reads its socket: the buffer is full, and the kernel drops every further datagram.',
  inject: async (bed) => {
    await bed.apply([POD]);
    const pod = await podRuns(bed, POD.metadata.name);
    await bed.waitFor('datagrams being dropped for a full buffer', async () => {
      const { stdout } = await bed.inPod(pod, 'grep ^Udp: /proc/net/snmp');
      const [names = '', values = ''] = stdout.trim().split('\n');
      const errors = values.split(' ')[names.split(' ').indexOf('RcvbufErrors')];
      return Number(errors) > 0 || `RcvbufErrors ${errors}`;
    });
  },
  heal: (bed) => removeAll(bed, [POD]),
  questions: async (bed) => [
    await askFromClient(bed, `pod/${DEMO}/${POD.metadata.name}`, '--port', String(PORT), '--protocol', 'udp'),
  ],
  expect: { node: FAR, object: `udp port ${PORT}` },
};
