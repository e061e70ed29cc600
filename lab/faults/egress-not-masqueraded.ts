import { OUTSIDE } from '../cluster/layout.ts';
import type { Fault } from '../fault.ts';
import { askFromClient, expectConnect, NEAR, onlyFlannel, restartFlannel, WEB_PORT } from '../fault-kit.ts';

const FLANNELS_JUMP = ['-m', 'comment', '--comment', 'flanneld masq', '-j', 'FLANNEL-POSTRTG'];

export const fault: Fault = {
  id: 'egress-not-masqueraded',
  causeId: 'egress-not-masqueraded',
  story:
    'flannel is started without --ip-masq: pods reach pods, and the world outside answers to addresses it does not know.',
  unfit: onlyFlannel,
  inject: async (bed) => {
    await restartFlannel(bed, { without: '--ip-masq' });
    for (const worker of bed.layout.workerNames) {
      await bed.attempt(worker, ['iptables', '-t', 'nat', '-D', 'POSTROUTING', ...FLANNELS_JUMP]);
    }
    await expectConnect(bed, NEAR, bed.address(OUTSIDE), WEB_PORT, ['timed-out', 'unreachable']);
  },
  heal: async (bed) => {
    await restartFlannel(bed, {});
    await expectConnect(bed, NEAR, bed.address(OUTSIDE), WEB_PORT, ['connected']);
  },
  questions: async (bed) => [await askFromClient(bed, `${bed.address(OUTSIDE)}:${WEB_PORT}`)],
  expect: { node: NEAR },
};
