import { pathOf } from '../cluster/api.ts';
import type { Bed } from '../cluster/bed.ts';
import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, onlyVxlan } from '../fault-kit.ts';

const OTHER = '02:00:5e:00:53:01';

/** What flannel told the other nodes of it. */
const announced = async (bed: Bed): Promise<string> => {
  const { metadata } = (await bed.api.get(pathOf('Node', undefined, FAR))) as {
    metadata: { annotations?: Record<string, string> };
  };
  return JSON.parse(metadata.annotations!['flannel.alpha.coreos.com/backend-data']!).VtepMAC;
};

export const fault: Fault = {
  id: 'vtep-address-mismatch',
  causeId: 'vtep-address-mismatch',
  story: `systemd-udevd gives flannel.1 of ${FAR} another MAC than flannel announced to the other nodes.`,
  unfit: onlyVxlan,
  inject: async (bed) => {
    await bed.run(FAR, `ip link set flannel.1 address ${OTHER}`);
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await bed.run(FAR, `ip link set flannel.1 address ${await announced(bed)}`);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { object: OTHER },
};
