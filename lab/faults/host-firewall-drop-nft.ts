import type { Fault } from '../fault.ts';
import { acrossIsAlive, acrossIsDead, askPodToPod, FAR, WEB_PORT } from '../fault-kit.ts';

const TABLE = 'inet corp_firewall';

export const fault: Fault = {
  id: 'host-firewall-drop-nft',
  causeId: 'host-firewall-drop',
  story: `${FAR} has a firewall of its own in nftables: what iptables accepts, its later base chain drops.`,
  inject: async (bed) => {
    const rules = `table ${TABLE} {
  chain forward {
    type filter hook forward priority 10; policy accept;
    tcp dport ${WEB_PORT} counter drop
  }
}
`;
    await bed.run(FAR, 'nft -f -', { input: rules });
    await acrossIsDead(bed);
  },
  heal: async (bed) => {
    await bed.attempt(FAR, `nft delete table ${TABLE}`);
    await acrossIsAlive(bed);
  },
  questions: askPodToPod,
  expect: { node: FAR, object: 'corp_firewall' },
  gone: { leg: 'there', after: 'w2 in flannel.1', before: 'w2 out cni0' },
};
