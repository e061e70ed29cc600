import type { Fault } from '../fault.ts';
import {
  askFromClient,
  clusterIp,
  DEMO,
  expectConnect,
  makePod,
  makeWebService,
  NEAR,
  podRuns,
  removeAll,
} from '../fault-kit.ts';

/** Beside the client, so that the answer comes back over the bridge. */
const POD = makePod({ name: 'beside', worker: NEAR, server: true });
const SERVICE = makeWebService(POD.metadata.name);
const SWITCH = 'net.bridge.bridge-nf-call-iptables';

export const fault: Fault = {
  id: 'bridge-nf-call-disabled',
  causeId: 'bridge-nf-call-disabled',
  story: `br_netfilter hands nothing to iptables on ${NEAR}: what a pod beside the client answers goes over the bridge without being translated back, and the client refuses it. A hardening script, or a module that was not loaded at boot, does so.`,
  inject: async (bed) => {
    await bed.apply([POD, SERVICE]);
    await podRuns(bed, POD.metadata.name);
    const address = await clusterIp(bed, POD.metadata.name);
    await expectConnect(bed, NEAR, address, 80, ['connected']);
    await bed.run(NEAR, `sysctl -w ${SWITCH}=0`);
    await expectConnect(bed, NEAR, address, 80, ['timed-out']);
  },
  heal: async (bed) => {
    await bed.run(NEAR, `sysctl -w ${SWITCH}=1`);
    await removeAll(bed, [POD, SERVICE]);
  },
  questions: async (bed) => [await askFromClient(bed, `svc/${DEMO}/${POD.metadata.name}:80`)],
  expect: { node: NEAR, object: 'bridge-nf-call-iptables' },
};
