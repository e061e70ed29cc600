import { describe, expect, test } from 'vitest';
import { GONE_MS, kubeconfig, running, skipped, startPodtriage } from './run-podtriage.ts';

/** As much of `podtriage.probe/v1` as is looked at. */
interface Seen {
  readonly kind: string;
  readonly verdict: string;
  readonly targets?: readonly {
    readonly role: string;
    readonly name: string;
    readonly sent: number;
    readonly answered: number;
  }[];
}

async function probe(kind: string, ...args: readonly string[]): Promise<{ code: number | null; report: Seen }> {
  const { child, ended } = startPodtriage(['probe', kind], ['-o', 'json', ...args]);
  child.stdin.end();
  const { code, out, err } = await ended;
  try {
    return { code, report: JSON.parse(out.toString('utf8')) as Seen };
  } catch {
    throw new Error(`probe ${kind} ended with ${code}: ${err || out.toString('utf8')}`);
  }
}

describe.skipIf(!kubeconfig)(`probes of a healthy cluster${skipped}`, { timeout: 60_000 }, () => {
  test('tcp: a Service, and each of its backends by itself', async () => {
    const { code, report } = await probe('tcp', 'ds/demo/client', 'svc/demo/web:80', '--count', '5');
    expect({ code, verdict: report.verdict }).toEqual({ code: 0, verdict: 'answered' });
    expect(report.targets?.map(({ role, sent, answered }) => [role, sent, answered])).toEqual([
      ['asked', 5, 5],
      ['backend', 5, 5],
      ['backend', 5, 5],
    ]);
  });

  test('tcp: a port where nobody listens is refused, and that is no loss', async () => {
    const { code, report } = await probe('tcp', 'node/w1', 'node/w2:9', '--count', '3');
    expect({ code, verdict: report.verdict }).toEqual({ code: 1, verdict: 'failed' });
  });

  test('ping, from node to node', async () => {
    const { code, report } = await probe('ping', 'node/w1', 'node/w2', '--count', '3');
    expect({ code, verdict: report.verdict }).toEqual({ code: 0, verdict: 'answered' });
  });
});

describe.skipIf(!kubeconfig)(`a capture${skipped}`, { timeout: 60_000 }, () => {
  test('whose client is killed hard leaves no tcpdump running', async () => {
    const { report } = await probe('tcp', 'ds/demo/client', 'svc/demo/web:80', '--count', '1');
    const [address = ''] = report.targets![0]!.name.split(':');
    // Of this Service: others may capture on this machine, too.
    const watching = (): number =>
      running(([program, ...rest]) => program === 'tcpdump' && rest.join(' ').includes(address));
    const { child, ended } = startPodtriage(
      ['capture'],
      ['ds/demo/client', 'svc/demo/web:80', '--no-probe', '--capture-user-traffic', '--duration', '60'],
    );
    child.stdin.end();
    await expect.poll(watching, { timeout: 20_000 }).toBeGreaterThan(2);
    child.kill('SIGKILL');
    await ended;
    await expect.poll(watching, { timeout: GONE_MS, interval: 300 }).toBe(0);
  });
});
