import { createInterrupt } from '../../src/cli/interrupt.ts';
import { createKubernetesHost } from '../../src/host/kubernetes.ts';
import { hostOf } from '../../src/net/place.ts';

/*
 * A run that a test can stop in its middle: asks NODE for its links, says "ready RUN", then probes an address that
 * nobody has, until it is stopped. Ends as the command line does: the first signal removes what was created, a second one exits at once.
 *
 *     node access-run.ts KUBECONFIG IMAGE NODE ADDRESS
 */
const [kubeconfig, image, node, nobody] = process.argv.slice(2) as [string, string, string, string];
const interrupt = createInterrupt(60);
const host = await createKubernetesHost({ kubeconfig, image, version: 'test' });
const ask = async (action: string, args: Record<string, string | number>): Promise<void> => {
  const requests = [{ action, place: hostOf(node), args, round: 0 }];
  const limits = { deadlineMs: 40_000, maxBytes: 1 << 20 };
  for await (const reply of host.perform(requests, limits, interrupt.signal)) console.log(`${action} ${reply.got}`);
};
await ask('links', {});
console.log(`ready ${host.runId}`);
while (!interrupt.signal.aborted) await ask('probe.tcp', { address: nobody, port: 9, timeoutMs: 30_000 });
for (const line of await host.close()) console.log(line);
process.exit(interrupt.interruptedBy() ? 130 : 0);
