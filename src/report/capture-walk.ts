import type { Attempt } from '../capture/attempt.ts';
import type { Fate } from '../capture/follow-packets.ts';
import type { WatchPlan, Way } from '../capture/watch-plan.ts';
import type { Flow } from '../diagnose/derived.ts';
import { isCertain } from '../diagnose/leaves.ts';
import type { CaptureReport } from './capture-report.ts';
import { endText, shortPlace } from './end-text.ts';

/** Whether what was seen is what the walk through the rules says. */
export function walkBeside(attempts: readonly Attempt[], flow: Flow, plan: WatchPlan): CaptureReport['walk'] {
  const verdicts = attempts.map((attempt) => agreementOf(attempt, flow, plan));
  const agrees = verdicts.includes('no')
    ? 'no'
    : verdicts.length > 0 && verdicts.every((one) => one === 'yes')
      ? 'yes'
      : 'unknown';
  return { statement: walkText(flow), agrees };
}

type Agreement = CaptureReport['walk']['agrees'];

function agreementOf({ outcome, deciding }: Attempt, flow: Flow, plan: WatchPlan): Agreement {
  const fate = deciding?.fate;
  if (outcome === 'unknown' || !fate) return 'unknown';
  if (fate.is === 'lost') return agreementOnLoss(fate, deciding.leg, flow, plan);
  const meetsEnd = (isWhat: (sees: string) => boolean): Agreement => {
    if (flow.leaves.some(({ end }) => isWhat(end.senderSees))) return 'yes';
    return flow.unknown.length > 0 ? 'unknown' : 'no';
  };
  switch (outcome) {
    case 'answered':
      if (flow.dead.some(({ chance }) => isCertain(chance))) return 'no';
      return meetsEnd((sees) => sees === 'reply');
    case 'refused':
      return meetsEnd((sees) => sees === 'reset');
    case 'icmp-error':
      return meetsEnd((sees) => sees.startsWith('icmp'));
    default:
      return meetsEnd((sees) => sees === 'nothing');
  }
}

/** The walk ends between the same two devices; or all of its ways pass there. */
function agreementOnLoss(
  fate: Fate & { readonly is: 'lost' },
  leg: Way['leg'],
  flow: Flow,
  { ways }: WatchPlan,
): Agreement {
  const walked = ways.filter((way) => way.leg === leg && way.end !== undefined);
  const { after, before } = fate;
  const endsThere = walked.some(({ steps, made, end }) => {
    const last = steps[made - 1];
    const isDeath = end !== 'delivered' && end !== 'left-the-cluster' && end !== 'insufficient-information';
    return isDeath && last !== undefined && isBetween(steps, made, after, before);
  });
  if (endsThere) return 'yes';
  return flow.unknown.length > 0 || walked.length === 0 ? 'unknown' : 'no';
}

/** Whether the first `made` steps end at, or behind, `after`, and before `before`. */
function isBetween(
  steps: Way['steps'],
  made: number,
  after: Way['steps'][number],
  before: readonly Way['steps'][number][],
): boolean {
  const indexOf = ({ point, way }: Way['steps'][number]): number =>
    steps.findIndex((step) => step.point === point && step.way === way);
  const [from, to] = [indexOf(after), Math.max(...before.map(indexOf))];
  return from >= 0 && made - 1 >= from && (to < 0 || made <= to);
}

const ENDS_TOLD = 3;

function walkText({ dead, unknown }: Flow): string {
  const told = dead.length > 0 ? dead : unknown;
  const texts = told.map(({ end, trace, ref }) => {
    const answer = ref.leg === 'forward' ? '' : 'the answer: ';
    return `${answer}${endText(trace, end)} (${shortPlace(end.place)})`;
  });
  const shown = [...new Set(texts)].slice(0, ENDS_TOLD).join('; ');
  if (dead.length > 0) return shown;
  return unknown.length > 0 ? `could not tell: ${shown}` : 'delivered there and back';
}
