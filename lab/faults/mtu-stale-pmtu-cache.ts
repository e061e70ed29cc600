import type { Bed } from '../cluster/bed.ts';
import type { Fault } from '../fault.ts';
import {
  acrossIsAlive,
  askPodToPod,
  FAR,
  flannelRoute,
  NEAR,
  onlyFlannel,
  podAddress,
  restoreRoute,
} from '../fault-kit.ts';

const ONCE = 1300;
const LARGE = 1422; // with its headers exactly a pod's MTU of 1450

/** A container's /proc/sys is read-only: from outside, in every network of a pod. */
const FORGET = 'for one in $(ip netns list | cut -d" " -f1); do ip netns exec "$one" ip route flush cache; done';

/** From the client on NEAR to the server on FAR. */
const pingLarge = async (bed: Bed): Promise<string> => {
  const client = await bed.demoPod('client', NEAR);
  const ping = `ping -c 1 -W 1 -M do -s ${LARGE} ${await podAddress(bed, 'web', FAR)}`;
  const { stdout, stderr } = await bed.inPod(client, ping);
  return `${stdout}\n${stderr}`;
};

export const fault: Fault = {
  id: 'mtu-stale-pmtu-cache',
  causeId: 'mtu-stale-pmtu-cache',
  story: `The way to ${FAR} had ${ONCE} bytes for a moment, and a pod was told so. The way has its MTU back, and the pod's kernel does not know.`,
  unfit: onlyFlannel,
  inject: async (bed) => {
    await bed.run(NEAR, `ip route replace ${await flannelRoute(bed, FAR)} mtu ${ONCE}`);
    await bed.waitFor('the pod being told', async () => /mtu ?= ?1300/.test(await pingLarge(bed)) || 'it is not');
    await restoreRoute(bed, NEAR, FAR);
    await bed.waitFor(
      'its kernel refusing',
      async () => /local error.*mtu=1300/.test(await pingLarge(bed)) || 'it does not',
    );
  },
  heal: async (bed) => {
    await restoreRoute(bed, NEAR, FAR);
    await bed.run(NEAR, ['sh', '-c', FORGET]);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: NEAR, object: `path MTU ${ONCE}`, exit: 0 },
};
