import { pathOf } from '../cluster/api.ts';
import type { Bed } from '../cluster/bed.ts';
import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, onlyVxlan } from '../fault-kit.ts';

const OTHER = '02:00:5e:00:53:01';

/** The MAC of a worker's VXLAN device as flannel told it to the other nodes. */
const announced = async (bed: Bed, worker: string): Promise<string> => {
  const { metadata } = (await bed.api.get(pathOf('Node', undefined, worker))) as {
    metadata: { annotations?: Record<string, string> };
  };
  return JSON.parse(metadata.annotations!['flannel.alpha.coreos.com/backend-data']!).VtepMAC;
};

/** With a new address the kernel forgets the device's neighbours, permanent ones too: they are put back. */
const setAddress = async (bed: Bed, mac: string): Promise<void> => {
  await bed.run(FAR, `ip link set flannel.1 address ${mac}`);
  for (const worker of bed.layout.workerNames.filter((name) => name !== FAR)) {
    const address = (await bed.podCidr(worker)).split('/')[0]!;
    const entry = `${address} lladdr ${await announced(bed, worker)} nud permanent dev flannel.1`;
    await bed.run(FAR, `ip neigh replace ${entry}`);
  }
};

export const fault: Fault = {
  id: 'vtep-address-mismatch',
  causeId: 'vtep-address-mismatch',
  story: `systemd-udevd gives flannel.1 of ${FAR} another MAC than flannel announced to the other nodes.`,
  unfit: onlyVxlan,
  inject: async (bed) => {
    await setAddress(bed, OTHER);
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await setAddress(bed, await announced(bed, FAR));
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { object: OTHER },
  gone: { leg: 'there', after: 'w2 in eth0', before: 'w2 in flannel.1' },
};
