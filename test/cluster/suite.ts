import { spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Command, Option } from 'commander';
import { Bed } from '../../lab/cluster/bed.ts';
import { down } from '../../lab/cluster/down.ts';
import { type BedOptions, layoutOf, type ProxyMode } from '../../lab/cluster/layout.ts';
import { up } from '../../lab/cluster/up.ts';
import { killRunningCommands } from '../../lab/command.ts';
import { waitFor } from '../../lab/wait-for.ts';
import { runVitest } from '../runner/run-vitest.ts';
import { addTallies, type Tally } from '../runner/tally.ts';
import { renderResult } from './faults.ts';
import { inventoryAdded, takeInventory } from './inventory.ts';
import { type CaseResult, runFaults } from './run-faults.ts';

/** The bed of the tests: never the one that a developer has up. */
const NAME = 'test';
const UP_LIMIT_S = 45;

/** What the pass in the other proxy mode looks at: the faults in which the proxy's rules have a part. */
const SHORT_PASS = [
  'forward-policy-drop',
  'host-firewall-drop',
  'kube-proxy-down',
  'kube-proxy-stale',
  'service-selector-mismatch',
  'traffic-policy-no-local-endpoint',
  'wrong-target-port',
  'dns-no-endpoints',
];

interface Options {
  readonly proxyMode: ProxyMode;
  /** The node side's image archive. */
  readonly image?: string;
  readonly imageReference?: string;
  /** Everything, or the short pass. */
  readonly whole: boolean;
  readonly json?: string;
  /** Makes and mends the faults only. */
  readonly lab?: boolean;
}

const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

const test = async (id: string, work: () => Promise<readonly string[]>): Promise<CaseResult> => {
  const started = performance.now();
  const because = await work().catch((error: Error) => [error.message]);
  const result: CaseResult = {
    id,
    outcome: because.length === 0 ? 'passed' : 'failed',
    because,
    seconds: { took: Math.round((performance.now() - started) / 100) / 10 },
    diagnoses: [],
  };
  say(renderResult(result));
  return result;
};

const bedOptions = (options: Options): BedOptions => ({
  name: NAME,
  proxyMode: options.proxyMode,
  cni: 'flannel-vxlan',
  iptables: 'nft',
  workers: 2,
  images: options.image ? [options.image] : [],
});

/** `up` in a process of its own, killed in its midst by a signal that it cannot handle; then `down`. */
const killedUpIsRemoved = async (): Promise<readonly string[]> => {
  const before = await takeInventory(NAME);
  const program = join(import.meta.dirname, '..', '..', 'lab', 'cluster', 'main.ts');
  const child = spawn(process.execPath, [program, 'up', '--name', NAME], { stdio: 'ignore' });
  const ended = new Promise((resolve) => child.on('exit', resolve));
  await waitFor(
    'the API server of a bed that is killed',
    async () => {
      const bed = await Bed.open(NAME); // its kubeconfig is written when the hosts are being started
      bed.close();
      return (await bed.attempt('cp', 'pgrep kube-apiserver')).code === 0 || 'not yet';
    },
    { timeoutMs: 30_000 },
  );
  await sleep(1_000);
  child.kill('SIGKILL');
  await ended;
  if (inventoryAdded(before, await takeInventory(NAME)).length === 0)
    return ['the killed bed had left nothing to remove'];
  await down(NAME);
  return inventoryAdded(before, await takeInventory(NAME));
};

const asTally = (suite: string, results: readonly CaseResult[]): Tally => {
  const of = (outcome: CaseResult['outcome']) =>
    results.filter((each) => each.outcome === outcome).map(({ id, because }) => ({ id, because: because.join('; ') }));
  return { suite, passed: of('passed').length, failed: of('failed'), skipped: of('skipped') };
};

/** The vitest files that need a cluster, which find this bed by their environment. */
const runVitestOn = (suite: string, options: Options, bed: Bed): Promise<Tally> =>
  runVitest(suite, ['test/cluster'], {
    PODTRIAGE_TEST_KUBECONFIG: bed.layout.kubeconfig,
    ...(options.imageReference ? { PODTRIAGE_TEST_IMAGE: options.imageReference } : {}),
  });

const runSuite = async (options: Options): Promise<Tally> => {
  const suite = `cluster ${options.proxyMode}`;
  const results: CaseResult[] = [];
  await down(NAME); // what an earlier run left that was killed
  const before = await takeInventory(NAME);
  if (options.whole) results.push(await test('bed: down after a killed up leaves nothing', killedUpIsRemoved));
  let bed: Bed | undefined;
  let byVitest: Tally | undefined;
  try {
    const started = performance.now();
    const upResult = await test(`bed: up in ${UP_LIMIT_S} s`, async () => {
      bed = await up(layoutOf(bedOptions(options)), say);
      const seconds = (performance.now() - started) / 1000;
      return seconds <= UP_LIMIT_S ? [] : [`it took ${seconds.toFixed(0)} s`];
    });
    results.push(upResult);
    if (bed) {
      const only = options.whole ? {} : { only: SHORT_PASS };
      const extra = options.imageReference ? ['--image', options.imageReference] : [];
      results.push(
        ...(await runFaults(bed, {
          ...only,
          healthy: !options.lab,
          lab: Boolean(options.lab),
          extra,
          onResult: (each) => say(renderResult(each)),
        })),
      );
      if (options.whole && !options.lab) byVitest = await runVitestOn(suite, options, bed);
    }
  } finally {
    bed?.close();
    results.push(
      await test('bed: down leaves nothing', async () => {
        await down(NAME);
        return inventoryAdded(before, await takeInventory(NAME));
      }),
    );
  }
  const own = asTally(suite, results);
  return byVitest ? addTallies(own, byVitest) : own;
};

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    killRunningCommands();
    down(NAME).finally(() => process.exit(130));
  });
}

new Command('node test/cluster/suite.ts')
  .description('brings up a bed, runs every test that needs a cluster on it, and takes it down')
  .addOption(new Option('--proxy-mode <mode>').choices(['iptables', 'nftables']).default('iptables'))
  .option('--image <file.tar>', 'archive of the node side')
  .option('--image-reference <ref>', 'its name')
  .option('--no-whole', 'the short pass')
  .option('--lab', 'makes and mends the faults only: tests the lab, not podtriage')
  .option('--json <file>', 'writes the tally')
  .action(async (options: Options) => {
    const tally = await runSuite(options);
    if (options.json) await writeFile(options.json, JSON.stringify(tally));
    process.exitCode = tally.failed.length === 0 ? 0 : 1;
  })
  .parseAsync()
  .catch((error: Error) => {
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 2;
  });
