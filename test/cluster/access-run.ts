import { createInterrupt } from '../../src/cli/interrupt.ts';
import { createKubernetesHost } from '../../src/host/kubernetes.ts';
import { hostOf } from '../../src/net/place.ts';

/*
 * A run that a test can stop in its middle: asks NODE for its links, says "ready RUN", then waits for a probe that nobody
 * answers. Ends as the command line does: the first signal removes what was created, a second one exits at once.
 *
 *     node access-run.ts KUBECONFIG IMAGE NODE
 */
const [kubeconfig, image, node] = process.argv.slice(2) as [string, string, string];
const interrupt = createInterrupt(60);
const host = await createKubernetesHost({ kubeconfig, image, version: 'test' });
const ask = async (action: string, args: Record<string, string | number>): Promise<void> => {
  const requests = [{ action, place: hostOf(node), args, round: 0 }];
  const limits = { deadlineMs: 40_000, maxBytes: 1 << 20 };
  for await (const reply of host.perform(requests, limits, interrupt.signal)) console.log(`${action} ${reply.got}`);
};
await ask('links', {});
console.log(`ready ${host.runId}`);
// 192.0.2.0/24 is nobody's (RFC 5737).
await ask('probe.tcp', { address: '192.0.2.1', port: 9, timeoutMs: 30_000 });
for (const line of await host.close()) console.log(line);
process.exit(interrupt.interruptedBy() ? 130 : 0);
