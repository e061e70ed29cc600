import type { Fault } from '../fault.ts';
import { askFromClient, expectConnect, FAR, NEAR } from '../fault-kit.ts';

/** Of the pods' network, so that nothing masquerades it, and no node's. */
const NETWORK = '10.244.77.0/24';
const ADDRESS = '10.244.77.5';
const PORT = 8080;

export const fault: Fault = {
  id: 'routing-loop',
  causeId: 'routing-loop',
  story: `A node was removed, and ${NEAR} and ${FAR} were each told by hand that the other knows the way to its pods: what is for them goes round until its time to live is used up.`,
  inject: async (bed) => {
    await bed.run(NEAR, `ip route replace ${NETWORK} via ${bed.address(FAR)} dev eth0`);
    await bed.run(FAR, `ip route replace ${NETWORK} via ${bed.address(NEAR)} dev eth0`);
    await expectConnect(bed, NEAR, ADDRESS, PORT, ['timed-out', 'unreachable']);
  },
  heal: async (bed) => {
    for (const host of [NEAR, FAR]) await bed.attempt(host, `ip route del ${NETWORK}`);
  },
  questions: async (bed) => [await askFromClient(bed, `${ADDRESS}:${PORT}`)],
  expect: { object: ADDRESS },
};
