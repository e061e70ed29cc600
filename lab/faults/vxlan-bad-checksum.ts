import { FABRIC } from '../cluster/layout.ts';
import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, NEAR, onlyVxlan } from '../fault-kit.ts';

const TABLE = 'netdev pt_broken_nic';
const RULES = [
  `add table ${TABLE}`,
  `add chain ${TABLE} out { type filter hook ingress device to-${NEAR} priority 0; }`,
  `add rule ${TABLE} out udp dport 8472 udp checksum set 0x1234`,
].join('; ');

export const fault: Fault = {
  id: 'vxlan-bad-checksum',
  causeId: 'vxlan-bad-checksum',
  story: `The NIC of ${NEAR} fills a wrong outer checksum into what flannel sends: ${FAR} drops it before flannel.1 sees it.`,
  unfit: onlyVxlan,
  inject: async (bed) => {
    // Sums that a virtual device leaves open are never checked: a NIC's are there on the wire.
    await bed.run(NEAR, 'ethtool -K eth0 tx off');
    await bed.run(FABRIC, ['nft', RULES]);
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    // Gone already where it was half made.
    await bed.attempt(FABRIC, ['nft', 'delete', 'table', ...TABLE.split(' ')]);
    await bed.run(NEAR, 'ethtool -K eth0 tx on');
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR, object: 'checksum' },
  gone: { leg: 'there', after: 'w2 in eth0', before: 'w2 in flannel.1' },
};
