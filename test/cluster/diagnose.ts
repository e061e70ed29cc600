import { join } from 'node:path';
import { command } from '../../lab/command.ts';

/** The parts of a report that the cluster suite looks at (`podtriage.report/v1`). */
export interface ReportSeen {
  readonly schema: string;
  readonly verdict: string;
  readonly causes: readonly CauseSeen[];
  readonly unexplained?: readonly unknown[];
  readonly target?: { readonly notes?: readonly string[] };
  readonly notChecked?: readonly { readonly id: string; readonly because: string }[];
}

export interface CauseSeen {
  readonly id: string;
  readonly confidence: string;
  readonly gravity?: string;
  readonly title: string;
  readonly place: { readonly node: string; readonly namespace: string; readonly object?: string };
  readonly evidence: readonly { readonly statement: string; readonly text?: string }[];
  readonly fix?: { readonly summary: string; readonly commands: readonly string[] };
  readonly explains?: readonly CauseSeen[];
}

/** One run of the command, however it ended. */
export interface Diagnosis {
  readonly args: readonly string[];
  readonly exit: number;
  readonly report?: ReportSeen;
  /** What it said on standard error; its last lines. */
  readonly said: string;
  readonly tookMs: number;
}

const PROGRAM = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const TIMEOUT_MS = 90_000;

const parse = (text: string): ReportSeen | undefined => {
  try {
    return JSON.parse(text) as ReportSeen;
  } catch {
    return undefined;
  }
};

/** Runs `podtriage diagnose ARGS` as a user would, against the cluster of this kubeconfig. */
export const diagnose = async (
  kubeconfig: string,
  args: readonly string[],
  extra: readonly string[] = [],
): Promise<Diagnosis> => {
  const started = performance.now();
  const argv = [process.execPath, PROGRAM, 'diagnose', ...args, '-o', 'json', '--kubeconfig', kubeconfig, ...extra];
  const result = await command(argv, { timeoutMs: TIMEOUT_MS, env: { NO_COLOR: '1' } });
  const said = result.stderr.trim().split('\n').slice(-6).join('\n');
  return {
    args,
    exit: result.timedOut ? 124 : result.code,
    report: parse(result.stdout),
    said: result.timedOut ? `no end in ${TIMEOUT_MS / 1000} s\n${said}` : said,
    tookMs: Math.round(performance.now() - started),
  };
};
