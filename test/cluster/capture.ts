import { join } from 'node:path';
import { command } from '../../lab/command.ts';
import type { Gone } from '../../lab/fault.ts';
import type { CaptureReport, CaptureReportStep } from '../../src/report/capture-report.ts';

export interface Captured {
  readonly exit: number;
  readonly report?: CaptureReport;
  readonly said: string;
}

const PROGRAM = join(import.meta.dirname, '..', '..', 'src', 'main.ts');
const TIMEOUT_MS = 90_000;

/** Runs `podtriage capture ARGS` as a user would. */
export const capture = async (
  kubeconfig: string,
  args: readonly string[],
  extra: readonly string[] = [],
): Promise<Captured> => {
  const argv = [process.execPath, PROGRAM, 'capture', ...args, '-o', 'json', '--kubeconfig', kubeconfig, ...extra];
  const result = await command(argv, { timeoutMs: TIMEOUT_MS, env: { NO_COLOR: '1' } });
  return { exit: result.timedOut ? 124 : result.code, report: parse(result.stdout), said: result.stderr.trim() };
};

const parse = (text: string): CaptureReport | undefined => {
  try {
    return JSON.parse(text) as CaptureReport;
  } catch {
    return undefined;
  }
};

/** What is wrong with a capture of a flow whose packets are lost at a known place; empty where it is right. */
export const judgeCapture = ({ report, exit, said }: Captured, gone: Gone): readonly string[] => {
  if (!report) return [`no capture, exit ${exit}: ${said.split('\n').slice(-3).join('\n')}`];
  const wrong: string[] = [];
  if (exit !== 1) wrong.push(`capture: exit ${exit}, not 1`);
  if (report.verdict !== 'lost') wrong.push(`capture: ${report.verdict}, not lost: ${report.summary}`);
  const lost = report.attempts.filter((attempt) => !isGone(attempt, gone, report));
  if (report.attempts.length === 0) wrong.push('capture: no attempt was seen');
  if (lost.length > 0)
    wrong.push(
      `capture: ${lost.length} of ${report.attempts.length} are not gone where they must be: ${report.summary}`,
    );
  if (report.walk.agrees === 'no') wrong.push(`capture: the walk disagrees: ${report.walk.statement}`);
  return wrong;
};

const isGone = (attempt: CaptureReport['attempts'][number], gone: Gone, report: CaptureReport): boolean => {
  const { leg, after, before } = gone;
  const last = attempt.packets.find((packet) => packet.leg === leg && packet.fate !== 'arrived');
  if (!last) return false;
  if (before === undefined) return last.fate === 'left' && last.seen.some((one) => names(report, after, one.point));
  const { loss } = last;
  return (
    loss !== undefined &&
    isStep(report, after, loss.after) &&
    loss.before.length > 0 &&
    loss.before.every((step) => isStep(report, before, step))
  );
};

/** `w2 in flannel.1`; `veth*` stands for any of that name's beginning. */
const isStep = (report: CaptureReport, text: string, { point, way }: CaptureReportStep): boolean =>
  text.split(' ')[1] === way && names(report, text, point);

const names = ({ points }: CaptureReport, text: string, point: number): boolean => {
  const [node, , device = ''] = text.split(' ');
  const { place, device: own } = points[point]!;
  const isDevice = device.endsWith('*') ? own.startsWith(device.slice(0, -1)) : own === device;
  return place.node === node && place.namespace === 'host' && isDevice;
};

/** A healthy flow: every attempt is answered, and the walk says so, too. */
export const judgeHealthyCapture = ({ report, exit, said }: Captured): readonly string[] => {
  if (!report) return [`no capture, exit ${exit}: ${said.split('\n').slice(-3).join('\n')}`];
  const wrong: string[] = [];
  if (report.verdict !== 'answered' || exit !== 0)
    wrong.push(`capture: ${report.verdict}, exit ${exit}: ${report.summary}`);
  if (report.walk.agrees !== 'yes') wrong.push(`capture: the walk ${report.walk.agrees}: ${report.walk.statement}`);
  const notWhole = report.points.filter(({ isWhole }) => !isWhole);
  if (notWhole.length > 0) wrong.push(`capture: not watched: ${JSON.stringify(notWhole)}`);
  return wrong;
};
