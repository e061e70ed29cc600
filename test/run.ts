import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import { command, killRunningCommands } from '../lab/command.ts';
import { type Capabilities, type Capability, capabilities, handDown, lacking } from './capabilities.ts';
import { installPackages } from './runner/debian-packages.ts';
import { inherit, killInherited } from './runner/inherit.ts';
import { boundToRunner, inPrivateNamespaces } from './runner/private-namespaces.ts';
import { runVitest, runVitestProject } from './runner/run-vitest.ts';
import {
  addTallies,
  readExpectedSkips,
  renderTally,
  renderTotal,
  skippedWhole,
  type Tally,
  unexpectedSkips,
} from './runner/tally.ts';

/*
 * npm test: all suites, from the quick to the slow. What they need of the machine is installed first; Kubernetes is
 * built beside the first suites, where it has not been built before. The last line is the sum of all.
 */

const ROOT = join(import.meta.dirname, '..');
const say = (line: string): void => {
  process.stdout.write(`${line}\n`);
};

interface Suite {
  readonly name: string;
  readonly needs: readonly Capability[];
  readonly run: (context: Context) => Promise<Tally>;
}

interface Context {
  readonly can: Capabilities;
  readonly folder: string;
  /** Why the cluster's programs could not be built; undefined once they are. */
  readonly built: Promise<string | undefined>;
}

/** A tool that says all by its exit code, as one test. */
const byExitCode = async (suite: string, argv: readonly string[]): Promise<Tally> => {
  const code = await inherit(argv);
  const failed =
    code === 0 ? [] : [{ id: argv.at(-1) ?? suite, because: `${basename(argv[0]!)} ended with ${code}: see above` }];
  return { suite, passed: code === 0 ? 1 : 0, failed, skipped: [] };
};

const tool = (name: string): string => join(ROOT, 'node_modules', '.bin', name);

const NAMESPACE_NEEDS: readonly Capability[] = ['root', 'netns', 'bridge', 'vxlan'];
const KERNEL_NEEDS: readonly Capability[] = [
  ...NAMESPACE_NEEDS,
  ...(['br_netfilter', 'iptables-nft', 'iptables-legacy', 'nft', 'ipset', 'python3'] as const),
];
const CLUSTER_NEEDS: readonly Capability[] = [...NAMESPACE_NEEDS, 'br_netfilter', 'go>=1.24', 'containerd'];

const runNamespace = ({ can }: Context): Promise<Tally> =>
  runVitest('namespace', ['test/namespace'], handDown(can), { wrap: inPrivateNamespaces });

/** The share of random networks in which kernel and walk may still disagree: docs/fidelity.md has the rate, the aim is none. */
const TOLERATED = '0.03';

/** Random networks of a fresh seed and the stored ones, the kernel against the simulator. */
const runKernel = async ({ can, folder }: Context): Promise<Tally> => {
  const tally = join(folder, 'kernel.json');
  const script = join(ROOT, 'test', 'kernel', 'fidelity.ts');
  const argv = [process.execPath, script, '--stored', '--cases', '300', '--tolerate', TOLERATED, '--tally', tally];
  const code = await inherit(await inPrivateNamespaces(argv), handDown(can));
  const text = await readFile(tally, 'utf8').catch(() => undefined);
  if (text !== undefined) return JSON.parse(text) as Tally;
  const failed = [{ id: '*', because: `the suite wrote no tally, exit ${code}` }];
  return { suite: 'kernel', passed: 0, failed, skipped: [] };
};

/** The runner's own tests count among these. */
const runUnit = async (): Promise<Tally> =>
  addTallies(await runVitestProject('unit', 'unit'), await runVitest('unit', ['test/runner']));

/** The image of the node side, of this very checkout. */
const makeImage = async (folder: string): Promise<{ readonly file: string; readonly reference: string }> => {
  const file = join(folder, 'podtriage.tar');
  const argv = [process.execPath, join(ROOT, 'tools', 'image', 'main.ts'), '--output', file];
  const { code, stdout, stderr } = await command(argv, { timeoutMs: 15 * 60_000, cwd: ROOT, onErrorLine: say });
  if (code !== 0) throw new Error(`npm run image: ${stderr.trim().split('\n').at(-1)}`);
  return { file, reference: stdout.trim().split('\n').at(-1)! };
};

let image: ReturnType<typeof makeImage> | undefined;

const runCluster = async ({ can, folder, built }: Context, proxyMode: string, whole: boolean): Promise<Tally> => {
  const suite = `cluster ${proxyMode}`;
  const failure = await built;
  if (failure) return { suite, passed: 0, failed: [{ id: 'build', because: failure }], skipped: [] };
  image ??= makeImage(folder);
  const { file, reference } = await image;
  const json = join(folder, `${proxyMode}.json`);
  const argv = [
    ...[process.execPath, join(ROOT, 'test', 'cluster', 'suite.ts'), '--proxy-mode', proxyMode, '--json', json],
    ...['--image', file, '--image-reference', reference, ...(whole ? [] : ['--no-whole'])],
  ];
  const code = await inherit(await inPrivateNamespaces(argv), handDown(can));
  const text = await readFile(json, 'utf8').catch(() => undefined);
  if (text !== undefined) return JSON.parse(text) as Tally;
  return { suite, passed: 0, failed: [{ id: '*', because: `the suite wrote no tally, exit ${code}` }], skipped: [] };
};

const SUITES: readonly Suite[] = [
  { name: 'types', needs: [], run: () => byExitCode('types', [tool('tsc'), '-p', 'tsconfig.json']) },
  { name: 'lint', needs: [], run: () => byExitCode('lint', [tool('biome'), 'check', '.']) },
  { name: 'unit', needs: [], run: runUnit },
  { name: 'scenarios', needs: [], run: () => runVitestProject('scenarios', 'scenarios') },
  { name: 'namespace', needs: NAMESPACE_NEEDS, run: runNamespace },
  { name: 'kernel', needs: KERNEL_NEEDS, run: runKernel },
  { name: 'cluster iptables', needs: CLUSTER_NEEDS, run: (context) => runCluster(context, 'iptables', true) },
  { name: 'cluster nftables', needs: CLUSTER_NEEDS, run: (context) => runCluster(context, 'nftables', false) },
];

/** Builds what the cluster runs, at the lowest priority: the suites that need no cluster go first. */
const startBuild = async (can: Capabilities): Promise<string | undefined> => {
  if (lacking(can, CLUSTER_NEEDS)) return undefined; // the suites say so themselves
  const argv = ['nice', '-n', '19', process.execPath, join(ROOT, 'lab', 'cluster', 'main.ts'), 'build'];
  const code = await inherit(boundToRunner(argv)).catch((error: Error) => error.message);
  return code === 0 ? undefined : `the build of Kubernetes ended with ${code}: see above`;
};

const prepare = async (install: boolean): Promise<Capabilities> => {
  const canInstall = install && process.getuid?.() === 0;
  const complaint = canInstall ? await installPackages().catch((error: Error) => error.message) : undefined;
  if (complaint) say(`${complaint}: suites that need these packages are skipped`);
  const can = await capabilities();
  const cannot = Object.entries(can).flatMap(([name, because]) => (because ? [`  ${name}: ${because}`] : []));
  if (cannot.length > 0) say(['this machine lacks', ...cannot].join('\n'));
  return can;
};

const runSuite = async (suite: Suite, context: Context): Promise<Tally> => {
  const missing = lacking(context.can, suite.needs);
  if (missing) return skippedWhole(suite.name, missing);
  say(`\n== ${suite.name}`);
  return suite.run(context).catch((error: Error) => ({
    suite: suite.name,
    passed: 0,
    failed: [{ id: '*', because: error.message }],
    skipped: [],
  }));
};

const main = async (): Promise<void> => {
  const { values } = parseArgs({
    options: {
      /** Names of suites, by commas. */
      only: { type: 'string' },
      'no-install': { type: 'boolean', default: false },
    },
  });
  const only = values.only?.split(',');
  const unknown = only?.filter((name) => !SUITES.some((suite) => suite.name === name)) ?? [];
  if (unknown.length > 0)
    throw new Error(`no suite ${unknown.join(', ')}: ${SUITES.map(({ name }) => name).join(', ')}`);
  const suites = SUITES.filter(({ name }) => !only || only.includes(name));
  const can = await prepare(!values['no-install']);
  const folder = await mkdtemp(join(tmpdir(), 'podtriage-test-'));
  const needBuild = suites.some(({ name }) => name.startsWith('cluster'));
  const built = needBuild ? startBuild(can) : Promise.resolve(undefined);
  const tallies: Tally[] = [];
  const lines: string[] = [];
  try {
    for (const suite of suites) {
      const started = performance.now();
      const tally = await runSuite(suite, { can, folder, built });
      tallies.push(tally);
      lines.push(renderTally(tally, (performance.now() - started) / 1000));
      say(lines.at(-1)!);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  say(`\n== all\n${lines.join('\n')}`);
  const expected = await readExpectedSkips();
  const unexpected = tallies.flatMap((tally) =>
    unexpectedSkips(tally, expected).map(({ id }) => `${tally.suite}: ${id}`),
  );
  if (unexpected.length > 0) say(`skips that test/expected-skips.json does not list: ${unexpected.join(', ')}`);
  const failed = tallies.some((tally) => tally.failed.length > 0);
  process.exitCode = failed || unexpected.length > 0 ? 1 : 0;
  say(renderTotal(tallies));
};

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.once(signal, () => {
    killInherited(); // the suites' namespaces end with them
    killRunningCommands();
    process.exit(130);
  });
}

await main().catch((error: Error) => {
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
});
