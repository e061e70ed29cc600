import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, NEAR, onlyVxlan, restoreRoute } from '../fault-kit.ts';

export const fault: Fault = {
  id: 'rp-filter-drop',
  causeId: 'rp-filter-drop',
  story:
    `flannel on ${NEAR} was restarted with DirectRouting, on ${FAR} not yet: packets come by eth0, the way back is by ` +
    `flannel.1. That works, until strict reverse path filtering is switched on at ${FAR}.`,
  unfit: onlyVxlan,
  inject: async (bed) => {
    await bed.run(NEAR, `ip route replace ${await bed.podCidr(FAR)} via ${bed.address(FAR)} dev eth0`);
    await acrossIsAlive(bed); // so that nothing but the filter is the cause
    await bed.run(FAR, 'sysctl -qw net.ipv4.conf.all.rp_filter=1');
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await bed.run(FAR, 'sysctl -qw net.ipv4.conf.all.rp_filter=0');
    await restoreRoute(bed, NEAR, FAR);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR, object: 'rp_filter' },
  gone: { leg: 'there', after: 'w2 in eth0', before: 'w2 in flannel.1' },
};
