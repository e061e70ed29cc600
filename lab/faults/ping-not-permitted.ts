import type { Fault } from '../fault.ts';
import { DEMO, FAR, makePod, NEAR, podAddress, podRuns, refOf, removeAll } from '../fault-kit.ts';

const POD = makePod({
  name: 'restricted',
  worker: NEAR,
  container: {
    securityContext: { runAsUser: 65534, allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  },
});

export const fault: Fault = {
  id: 'ping-not-permitted',
  causeId: 'ping-not-permitted',
  story: 'A pod without NET_RAW cannot ping, and its kernel setting lets no group do so: no fault of the network.',
  inject: async (bed) => {
    await bed.apply([POD]);
    await podRuns(bed, POD.metadata.name);
    const address = await podAddress(bed, 'web', FAR);
    const { stderr, code } = await bed.inPod(await bed.demoPod('client', NEAR), `ping -c 1 -W 1 ${address}`);
    if (code !== 0) throw new Error(`the client, which may ping, gets no answer: ${stderr}`);
  },
  heal: (bed) => removeAll(bed, [POD]),
  questions: async (bed) => [
    { args: [`pod/${DEMO}/${POD.metadata.name}`, refOf(await bed.demoPod('web', FAR)), '--protocol', 'icmp'] },
  ],
  expect: { exit: 0 },
};
