import { allFaults } from '../../lab/all-faults.ts';
import type { Bed } from '../../lab/cluster/bed.ts';
import type { Fault } from '../../lab/fault.ts';
import { healthyQuestions } from '../../lab/healthy-questions.ts';
import { allOddities, type Oddity } from '../../lab/oddity.ts';
import { capture, judgeCapture, judgeHealthyCapture } from './capture.ts';
import { type Diagnosis, diagnose } from './diagnose.ts';
import { judgeFault, judgeHealthy } from './judge.ts';

export type Outcome = 'passed' | 'failed' | 'skipped';

/** One line of the suite's table. */
export interface CaseResult {
  readonly id: string;
  readonly outcome: Outcome;
  /** What is wrong, or why it was skipped. */
  readonly because: readonly string[];
  /** Seconds of each part. */
  readonly seconds: Readonly<Record<string, number>>;
  readonly diagnoses: readonly Diagnosis[];
}

export interface RunFaultsOptions {
  /** Ids to run; all without it. */
  readonly only?: readonly string[];
  /** Makes and mends the faults without asking podtriage: a test of the lab itself. */
  readonly lab?: boolean;
  readonly healthy?: boolean;
  /** More arguments of `diagnose`, such as `--image`. */
  readonly extra?: readonly string[];
  /** Ends the run early; whatever fault is there is healed. */
  readonly signal?: AbortSignal;
  readonly onResult?: (result: CaseResult) => void;
}

/** After each fault's heal one of the healthy questions is asked: another one each time. */
const HEALTHY_AFTER_EACH = 1;

/** Healthy pairs that are captured as well: across the nodes, within one, through NAT, and a node's own. */
const CAPTURED = ['pod-pod-cross-node', 'pod-pod-same-node', 'pod-service', 'node-service'];

class Stopwatch {
  readonly seconds: Record<string, number> = {};
  async time<T>(what: string, work: () => Promise<T>): Promise<T> {
    const started = performance.now();
    try {
      return await work();
    } finally {
      this.seconds[what] = Math.round((performance.now() - started) / 100) / 10;
    }
  }
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

const askAbout = async (bed: Bed, fault: Fault, extra: readonly string[]): Promise<[Diagnosis[], string[]]> => {
  const diagnoses: Diagnosis[] = [];
  const wrong: string[] = [];
  for (const { args, expect } of await fault.questions(bed)) {
    const diagnosis = await diagnose(bed.layout.kubeconfig, args, extra);
    diagnoses.push(diagnosis);
    wrong.push(...judgeFault(diagnosis, { id: fault.causeId, ...fault.expect, ...expect }));
  }
  return [diagnoses, wrong];
};

/** Where the fault's packets are lost, as a capture of the first question sees it. */
const captureOf = async (bed: Bed, fault: Fault, extra: readonly string[]): Promise<readonly string[]> => {
  const [first] = await fault.questions(bed);
  if (!fault.gone || !first || bed.layout.cni !== 'flannel-vxlan') return [];
  return judgeCapture(await capture(bed.layout.kubeconfig, first.args, extra), fault.gone);
};

const runFault = async (bed: Bed, fault: Fault, options: RunFaultsOptions): Promise<CaseResult> => {
  const watch = new Stopwatch();
  const diagnoses: Diagnosis[] = [];
  const because: string[] = [];
  try {
    await watch.time('inject', () => fault.inject(bed));
    if (!options.lab) {
      const [made, wrong] = await watch.time('diagnose', () => askAbout(bed, fault, options.extra ?? []));
      diagnoses.push(...made);
      because.push(...wrong);
      because.push(...(await watch.time('capture', () => captureOf(bed, fault, options.extra ?? []))));
    }
  } catch (error) {
    because.push(`the lab: ${message(error)}`);
  }
  try {
    await watch.time('heal', () => fault.heal(bed));
  } catch (error) {
    because.push(`the lab cannot heal it: ${message(error)}`);
  }
  return {
    id: fault.id,
    outcome: because.length > 0 ? 'failed' : 'passed',
    because,
    seconds: watch.seconds,
    diagnoses,
  };
};

const runHealthy = async (
  bed: Bed,
  id: string,
  args: readonly string[],
  extra: readonly string[],
  isCaptured = false,
): Promise<CaseResult> => {
  const watch = new Stopwatch();
  const diagnosis = await watch.time('diagnose', () => diagnose(bed.layout.kubeconfig, args, extra));
  const because = [...judgeHealthy(diagnosis)];
  if (isCaptured)
    because.push(
      ...judgeHealthyCapture(await watch.time('capture', () => capture(bed.layout.kubeconfig, args, extra))),
    );
  return {
    id,
    outcome: because.length > 0 ? 'failed' : 'passed',
    because,
    seconds: watch.seconds,
    diagnoses: [diagnosis],
  };
};

/** What an oddity could be mistaken for: asked across the nodes, where it has its place. */
const ASKED_OF_ODDITIES = ['pod-pod-cross-node', 'pod-service', 'pod-outside-by-address'];

const runOddity = async (bed: Bed, oddity: Oddity, extra: readonly string[]): Promise<readonly CaseResult[]> => {
  const unfit = oddity.unfit?.(bed.layout);
  if (unfit) return [skipped(`odd ${oddity.id}`, unfit)];
  const results: CaseResult[] = [];
  try {
    await oddity.make(bed);
    for (const { id, args } of (await healthyQuestions(bed)).filter((each) => ASKED_OF_ODDITIES.includes(each.id))) {
      results.push(await runHealthy(bed, `odd ${oddity.id}: ${id}`, args, extra));
    }
  } catch (error) {
    results.push({ ...skipped(`odd ${oddity.id}`, `the lab: ${message(error)}`), outcome: 'failed' });
  }
  await oddity.undo(bed);
  return results;
};

const skipped = (id: string, because: string): CaseResult => ({
  id,
  outcome: 'skipped',
  because: [because],
  seconds: {},
  diagnoses: [],
});

/** On one bed: every healthy pair; then each fault made, diagnosed, mended, and a healthy pair asked about again. */
export const runFaults = async (bed: Bed, options: RunFaultsOptions): Promise<readonly CaseResult[]> => {
  const results: CaseResult[] = [];
  const add = (result: CaseResult): void => {
    results.push(result);
    options.onResult?.(result);
  };
  const extra = options.extra ?? [];
  const chosen = (await allFaults()).filter((fault) => !options.only || options.only.includes(fault.id));
  if (options.healthy) {
    for (const { id, args } of await healthyQuestions(bed)) {
      if (options.signal?.aborted) return results;
      add(await runHealthy(bed, `healthy: ${id}`, args, extra, CAPTURED.includes(id)));
    }
  }
  if (options.healthy) {
    for (const oddity of await allOddities()) {
      if (options.signal?.aborted) return results;
      for (const result of await runOddity(bed, oddity, extra)) add(result);
    }
  }
  let turn = 0;
  for (const fault of chosen) {
    if (options.signal?.aborted) return results;
    const unfit = fault.unfit?.(bed.layout);
    if (unfit) {
      add(skipped(fault.id, unfit));
      continue;
    }
    add(await runFault(bed, fault, options));
    if (options.lab) continue;
    const questions = await healthyQuestions(bed);
    for (let i = 0; i < HEALTHY_AFTER_EACH; i++) {
      const { id, args } = questions[turn++ % questions.length]!;
      add(await runHealthy(bed, `healed ${fault.id}: ${id}`, args, extra));
    }
  }
  return results;
};
