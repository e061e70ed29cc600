import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { finished } from 'node:stream/promises';
import { iptablesLayout } from './kube-proxy/iptables-layout.ts';
import { NFTABLES_END, nftablesLayout } from './kube-proxy/nftables-layout.ts';
import { makeServices } from './kube-proxy/services.ts';
import { BACKENDS, NODE_ADDRESS } from './one-node.ts';
import type { SimulateSample } from './simulate-run.ts';

type Layout = 'iptables' | 'nftables';

const SIZES: readonly number[] = [1_000, 10_000, 30_000];
const RUNS = 3;

/**
 * How long it takes to read kube-proxy's rules for 1,000, 10,000 and 30,000 Services with five endpoints each, how much
 * memory, and how long one walk from a pod to a Service takes, in both of its layouts. Each size is measured in fresh
 * processes (the median of three), beside what the kernel's own tool (`iptables-legacy-restore`, in a network namespace
 * of its own; needs root) or `JSON.parse` takes for the same bytes.
 */
export async function benchSimulate(args: readonly string[]): Promise<void> {
  const sizes = args.length > 0 ? args.map(Number) : SIZES;
  const folder = await mkdtemp(join(tmpdir(), 'podtriage-bench-'));
  try {
    for (const layout of ['iptables', 'nftables'] as const) {
      const times = new Map<number, number>();
      for (const services of sizes) times.set(services, await measure(layout, services, folder));
      const [ten, thirty] = [times.get(10_000), times.get(30_000)];
      if (ten !== undefined && thirty !== undefined)
        print(layout, 30_000, 'time(30k)/time(10k)', { ratio: round(thirty / ten, 2) });
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function measure(layout: Layout, services: number, folder: string): Promise<number> {
  const file = join(folder, `${layout}-${services}`);
  const rules = await write(layout, services, file);
  const { size: bytes } = await stat(file);
  const samples: SimulateSample[] = [];
  const besides: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    const beside = await (layout === 'iptables' ? restore(file) : runNode('json-parse-run.ts', [file]).then(Number));
    if (beside !== undefined) besides.push(beside);
    samples.push(JSON.parse(await runNode('simulate-run.ts', [layout, file, String(services)])) as SimulateSample);
    process.stderr.write(`${layout} ${services} ${run + 1}/${RUNS}\n`);
  }
  await rm(file);
  const parseCompileMs = median(samples.map((sample) => sample.parseCompileMs));
  const besideMs = besides.length === 0 ? undefined : median(besides);
  print(layout, services, 'parse+compile', {
    rules,
    bytes,
    medianMs: round(parseCompileMs, 1),
    beside: layout === 'iptables' ? 'iptables-legacy-restore' : 'JSON.parse',
    ...(besideMs === undefined ? {} : { besideMs: round(besideMs, 1), ratio: round(parseCompileMs / besideMs, 3) }),
  });
  print(layout, services, 'peak-rss', {
    mebibytes: round(median(samples.map((sample) => sample.peakRssKib)) / 1024, 1),
  });
  for (const { figure } of samples[0]!.walks) {
    const medians = samples.map((sample) => sample.walks.find((walk) => walk.figure === figure)!.medianUs);
    print(layout, services, figure, { backends: BACKENDS.length, medianUs: round(median(medians), 1) });
  }
  return parseCompileMs;
}

async function write(layout: Layout, count: number, file: string): Promise<number> {
  const services = makeServices(count, BACKENDS);
  const stream = createWriteStream(file);
  let rules = 0;
  const put = async (text: string): Promise<void> => {
    if (!stream.write(text)) await once(stream, 'drain');
  };
  if (layout === 'iptables') {
    for (const line of iptablesLayout(services)) {
      if (line.startsWith('[')) rules++;
      await put(`${line}\n`);
    }
  } else {
    let first = true;
    for (const item of nftablesLayout(services, NODE_ADDRESS)) {
      if (item.startsWith('{"rule"')) rules++;
      await put(first ? item : `, ${item}`);
      first = false;
    }
    await put(NFTABLES_END);
  }
  stream.end();
  await finished(stream);
  return rules;
}

/** Milliseconds of loading the file into the kernel; undefined where that is not permitted. */
async function restore(file: string): Promise<number | undefined> {
  const startedAt = performance.now();
  const script = 'exec iptables-legacy-restore < "$0"';
  const { exitCode } = await run('unshare', ['-n', 'sh', '-c', script, file]);
  if (exitCode === 0) return performance.now() - startedAt;
  process.stderr.write('iptables-legacy-restore in a network namespace of its own: not possible here\n');
  return undefined;
}

async function runNode(script: string, args: readonly string[]): Promise<string> {
  const { exitCode, output } = await run(process.execPath, [resolve(import.meta.dirname, script), ...args]);
  if (exitCode !== 0) throw new Error(`${script} ${args.join(' ')}: exit code ${exitCode}`);
  return output;
}

async function run(command: string, args: readonly string[]): Promise<{ exitCode: number; output: string }> {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  const exitCode = await new Promise<number>((done) => {
    child.once('error', () => done(-1));
    child.once('close', (code) => done(code ?? -1));
  });
  return { exitCode, output: Buffer.concat(chunks).toString() };
}

function print(layout: Layout, services: number, figure: string, values: object): void {
  process.stdout.write(`${JSON.stringify({ bench: 'simulate', layout, services, figure, ...values })}\n`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
