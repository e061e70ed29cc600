import type { Fault } from '../fault.ts';
import {
  clusterIp,
  DEMO,
  expectConnectFrom,
  FAR,
  makePod,
  makeWebService,
  podRuns,
  refOf,
  removeAll,
  vethOf,
} from '../fault-kit.ts';

const POD = makePod({ name: 'alone', worker: FAR, server: true });
const SERVICE = makeWebService(POD.metadata.name);
const OBJECTS = [POD, SERVICE];

export const fault: Fault = {
  id: 'hairpin-disabled',
  causeId: 'hairpin-disabled',
  story:
    'The bridge does not send a frame back by the port that it came from: a pod hangs when its own Service picks itself, as it always does with one backend. A CNI configuration without hairpinMode does so.',
  inject: async (bed) => {
    await bed.apply(OBJECTS);
    const pod = await podRuns(bed, POD.metadata.name);
    const address = await clusterIp(bed, POD.metadata.name);
    await expectConnectFrom(bed, pod, address, 80, ['connected']);
    await bed.run(FAR, `bridge link set dev ${await vethOf(bed, pod)} hairpin off`);
    await expectConnectFrom(bed, pod, address, 80, ['timed-out']);
  },
  heal: (bed) => removeAll(bed, OBJECTS),
  questions: async (bed) => [
    { args: [refOf(await podRuns(bed, POD.metadata.name)), `svc/${DEMO}/${POD.metadata.name}:80`] },
  ],
  expect: { node: FAR, object: 'hairpin' },
};
