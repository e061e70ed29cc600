import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR } from '../fault-kit.ts';

export const fault: Fault = {
  id: 'ip-forward-disabled',
  causeId: 'ip-forward-disabled',
  story: `A hardening script sets net.ipv4.ip_forward to 0 on ${FAR}: the node answers, its pods do not.`,
  inject: async (bed) => {
    await bed.run(FAR, 'sysctl -qw net.ipv4.ip_forward=0');
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await bed.run(FAR, 'sysctl -qw net.ipv4.ip_forward=1');
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR, object: 'ip_forward' },
  gone: { leg: 'there', after: 'w2 in flannel.1', before: 'w2 out cni0' },
};
