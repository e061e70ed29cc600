import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

/** What one run of the command took. */
interface Sample {
  readonly wallMs: number;
  readonly exitCode: number;
  readonly verdict: string;
  readonly timings: Readonly<Record<string, number>>;
}

const USAGE = 'usage: npm run bench -- diagnose SOURCE DESTINATION [--runs N] [-- OPTIONS OF diagnose]\n';

/**
 * Wall time of `podtriage diagnose SOURCE DESTINATION` as a whole process, from the command to the report, helpers
 * started and removed, on the cluster that KUBECONFIG names. Min, median and max of N runs (5), and where the time goes.
 */
export async function benchDiagnose(args: readonly string[]): Promise<void> {
  const [source, destination, ...rest] = args;
  if (!source || !destination) {
    process.stderr.write(USAGE);
    process.exit(2);
  }
  const runsAt = rest.indexOf('--runs');
  const runs = runsAt < 0 ? 5 : Number(rest[runsAt + 1]);
  const extra = rest.includes('--') ? rest.slice(rest.indexOf('--') + 1) : [];
  const samples: Sample[] = [];
  for (let run = 0; run < runs; run++) {
    const sample = await once([source, destination, ...extra]);
    samples.push(sample);
    process.stderr.write(`${run + 1}/${runs}  ${sample.verdict}  ${Math.round(sample.wallMs)} ms\n`);
  }
  print(
    'wall',
    source,
    destination,
    samples.map((sample) => sample.wallMs),
    samples,
  );
  for (const part of new Set(samples.flatMap((sample) => Object.keys(sample.timings)))) {
    print(
      part,
      source,
      destination,
      samples.map((sample) => sample.timings[part] ?? 0),
      samples,
    );
  }
}

async function once(words: readonly string[]): Promise<Sample> {
  const main = resolve(import.meta.dirname, '../src/main.ts');
  const startedAt = performance.now();
  const child = spawn(process.execPath, [main, 'diagnose', ...words, '-o', 'json', '-q'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const chunks: Buffer[] = [];
  for await (const chunk of child.stdout) chunks.push(chunk as Buffer);
  const exitCode =
    child.exitCode ?? (await new Promise<number>((done) => child.once('close', (code) => done(code ?? -1))));
  const wallMs = performance.now() - startedAt;
  const report = JSON.parse(Buffer.concat(chunks).toString() || '{}') as {
    verdict?: string;
    timings?: Record<string, number>;
  };
  return { wallMs, exitCode, verdict: report.verdict ?? 'no report', timings: report.timings ?? {} };
}

function print(
  figure: string,
  source: string,
  destination: string,
  values: readonly number[],
  samples: readonly Sample[],
): void {
  const sorted = [...values].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  process.stdout.write(
    `${JSON.stringify({ bench: 'diagnose', figure, source, destination, verdict: samples[0]?.verdict, runs: values.length, minMs: Math.round(sorted[0] ?? 0), medianMs: Math.round(median), maxMs: Math.round(sorted.at(-1) ?? 0) })}\n`,
  );
}
