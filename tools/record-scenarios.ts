/**
 * `node tools/record-scenarios.ts [--name BED] [--out FOLDER] [--extra OPTION]… [ID …]`: on a bed that is up, makes each fault of the lab,
 * records the bundle of its first question, and mends it. Without ids: every fault. `healthy-ID` records a healthy pair.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { allFaults } from '../lab/all-faults.ts';
import { Bed } from '../lab/cluster/bed.ts';
import { DEFAULT_NAME } from '../lab/cluster/layout.ts';
import { command } from '../lab/command.ts';
import { healthyQuestions } from '../lab/healthy-questions.ts';

const ROOT = resolve(import.meta.dirname, '..');
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    name: { type: 'string', default: DEFAULT_NAME },
    out: { type: 'string', default: join(ROOT, 'scenarios') },
    /** Options of `collect`, such as `--extra=--drop-reasons`. */
    extra: { type: 'string', multiple: true, default: [] },
  },
});

interface Recorded {
  readonly id: string;
  readonly title: string;
  readonly story: string;
  readonly args: readonly string[];
  readonly expect: Readonly<Record<string, unknown>>;
}

async function record(bed: Bed, { id, title, story, args, expect }: Recorded): Promise<void> {
  const folder = join(values.out, id);
  await mkdir(folder, { recursive: true });
  const argv = [
    process.execPath,
    join(ROOT, 'src/main.ts'),
    'collect',
    ...args,
    ...values.extra,
    '-q',
    '-o',
    join(folder, 'bundle.tar.gz'),
    '--kubeconfig',
    bed.layout.kubeconfig,
  ];
  const done = await command(argv, { timeoutMs: 90_000 });
  if (done.code !== 0) throw new Error(`${id}: collect ended with ${done.code}: ${done.stderr}`);
  await writeFile(join(folder, 'expect.json'), `${JSON.stringify({ question: args, ...expect }, undefined, 2)}\n`);
  const made = `Recorded by \`podtriage collect\` on the lab's cluster (${bed.layout.cni}, kube-proxy in ${bed.layout.proxyMode} mode, iptables-${bed.layout.iptables}); made by lab/faults.`;
  await writeFile(join(folder, 'story.md'), `# ${title}\n\n${story}\n\n${made}\n`);
  process.stdout.write(`${id}\n`);
}

const bed = await Bed.open(values.name);
try {
  const wanted = (id: string): boolean => positionals.length === 0 || positionals.includes(id);
  for (const { id, args } of await healthyQuestions(bed)) {
    if (!wanted(`healthy-${id}`)) continue;
    await record(bed, {
      id: `healthy-${id}`,
      title: `Healthy: ${id}`,
      story: 'Nothing is wrong here, and nothing may be found.',
      args,
      expect: { verdict: 'healthy' },
    });
  }
  for (const fault of await allFaults()) {
    if (!wanted(fault.id) || fault.unfit?.(bed.layout) !== undefined) continue;
    try {
      await fault.inject(bed);
      const [asked] = await fault.questions(bed);
      const { exit, ...expect } = { ...fault.expect, ...asked!.expect };
      const verdict = exit === 0 ? { verdict: 'healthy' } : {};
      await record(bed, {
        id: fault.id,
        title: fault.id,
        story: fault.story,
        args: asked!.args,
        expect: { id: fault.causeId, ...expect, ...verdict },
      });
    } finally {
      await fault.heal(bed);
    }
  }
} finally {
  bed.close();
}
