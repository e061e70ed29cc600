import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, insertRule, removeRule, WEB_PORT } from '../fault-kit.ts';

const RULE = `-p tcp --dport ${WEB_PORT} -j DROP`;

export const fault: Fault = {
  id: 'host-firewall-drop',
  causeId: 'host-firewall-drop',
  story: `The administrator of ${FAR} closes port ${WEB_PORT} for all that passes through the node.`,
  inject: async (bed) => {
    await insertRule(bed, FAR, 'FORWARD', RULE);
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await removeRule(bed, FAR, 'FORWARD', RULE);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR, object: `--dport ${WEB_PORT}` },
  gone: { leg: 'there', after: 'w2 in flannel.1', before: 'w2 out cni0' },
};
