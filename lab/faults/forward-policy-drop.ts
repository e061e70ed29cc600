import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, onlyFlannel, restartFlannel } from '../fault-kit.ts';

const OFF = '--iptables-forward-rules=false';
const FLANNELS_JUMP = [
  'iptables',
  '-D',
  'FORWARD',
  '-m',
  'comment',
  '--comment',
  'flanneld forward',
  '-j',
  'FLANNEL-FWD',
];

export const fault: Fault = {
  id: 'forward-policy-drop',
  causeId: 'forward-policy-drop',
  story: `Docker sets the FORWARD policy to DROP on ${FAR}, and flannel there does not write its accepting rules.`,
  unfit: onlyFlannel,
  inject: async (bed) => {
    await restartFlannel(bed, { with: OFF });
    await bed.attempt(FAR, FLANNELS_JUMP);
    await bed.run(FAR, 'iptables -P FORWARD DROP');
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await bed.run(FAR, 'iptables -P FORWARD ACCEPT');
    await restartFlannel(bed, {});
    await bed.waitFor(`flannel's forward rules on ${FAR}`, async () => {
      const rules = await bed.run(FAR, 'iptables -S FORWARD');
      return rules.includes('FLANNEL-FWD') || rules;
    });
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR, object: 'FORWARD' },
  gone: { leg: 'there', after: 'w2 in flannel.1', before: 'w2 out cni0' },
};
