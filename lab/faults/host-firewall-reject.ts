import type { Fault } from '../fault.ts';
import { askFromClient, expectConnect, FAR, insertRule, NEAR, removeRule } from '../fault-kit.ts';

const PORT = 10256; // kube-proxy's own health server: the API server and kubelet do without it
const RULE = `-p tcp --dport ${PORT} -j REJECT`;

export const fault: Fault = {
  id: 'host-firewall-reject',
  causeId: 'host-firewall-drop',
  story: `${FAR} rejects connections to a port of its own by ICMP: to the client it looks as if nothing listened there.`,
  inject: async (bed) => {
    await insertRule(bed, FAR, 'INPUT', RULE);
    await expectConnect(bed, NEAR, bed.address(FAR), PORT, ['refused']);
  },
  heal: async (bed) => {
    await removeRule(bed, FAR, 'INPUT', RULE);
    await expectConnect(bed, NEAR, bed.address(FAR), PORT, ['connected']);
  },
  questions: async (bed) => [await askFromClient(bed, `node/${FAR}:${PORT}`)],
  expect: { node: FAR, object: `--dport ${PORT}` },
};
