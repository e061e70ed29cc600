import type { Expectation } from '../../lab/fault.ts';
import type { CauseSeen, Diagnosis, ReportSeen } from './diagnose.ts';

const describe = (cause: CauseSeen): string =>
  `${cause.id} (${cause.confidence}) at ${cause.place.node || 'the cluster'}`;

const textOf = (cause: CauseSeen): string => JSON.stringify([cause.title, cause.place, cause.evidence, cause.fix]);

const nested = (cause: CauseSeen): readonly string[] =>
  (cause.explains ?? []).flatMap((each) => [each.id, ...nested(each)]);

const noReport = ({ exit, said }: Diagnosis): readonly string[] => [`no report, exit ${exit}: ${said || 'not a word'}`];

/** What an inconclusive report could not see: its notes, else the first thing that it could not check. */
const unseen = ({ target, notChecked }: ReportSeen): string => {
  const notes = target?.notes ?? [];
  if (notes.length > 0) return `: ${notes.join('; ')}`;
  const [first] = notChecked ?? [];
  return first ? `: ${first.id} could not be checked, ${first.because}` : '';
};

/** What is wrong with a diagnosis of an injected fault; empty where it is right. */
export const judgeFault = (diagnosis: Diagnosis, expected: Expectation): readonly string[] => {
  const { report, exit } = diagnosis;
  if (!report) return noReport(diagnosis);
  const wrong: string[] = [];
  const [first] = report.causes;
  if (!first) return [`${report.verdict}, no cause named, exit ${exit}${unseen(report)}`];
  if (first.id !== expected.id) wrong.push(`names ${report.causes.map(describe).join(', ')}`);
  const others = report.causes.slice(1).filter(({ gravity }) => gravity === undefined || gravity === 'fault');
  if (others.length > 0) wrong.push(`also names ${others.map(describe).join(', ')}`);
  if (expected.node !== undefined && first.place.node !== expected.node) {
    wrong.push(`places it at ${first.place.node || 'no node'}, not ${expected.node}`);
  }
  if (expected.object !== undefined && !textOf(first).includes(expected.object)) {
    wrong.push(`does not name ${expected.object}`);
  }
  if (expected.explains !== undefined && !nested(first).includes(expected.explains)) {
    wrong.push(`does not nest ${expected.explains} under it`);
  }
  const wanted = expected.exit ?? 1;
  if (exit !== wanted) wrong.push(`exit ${exit}, not ${wanted}`);
  return wrong;
};

/** What is wrong with a diagnosis where nothing is at fault: anything but healthy is. */
export const judgeHealthy = (diagnosis: Diagnosis): readonly string[] => {
  const { report, exit } = diagnosis;
  if (!report) return noReport(diagnosis);
  const wrong: string[] = [];
  if (report.causes.length > 0) wrong.push(`names ${report.causes.map(describe).join(', ')}`);
  if ((report.unexplained ?? []).length > 0) wrong.push(`${report.unexplained!.length} unexplained`);
  if (report.verdict !== 'healthy') wrong.push(`verdict ${report.verdict}${unseen(report)}`);
  if (exit !== 0) wrong.push(`exit ${exit}, not 0`);
  return wrong;
};
