import type { Attempt } from '../capture/attempt.ts';
import type { WatchPlan } from '../capture/watch-plan.ts';
import { captureAgreement } from '../diagnose/capture-agreement.ts';
import type { Flow } from '../diagnose/derived.ts';
import type { CaptureReport } from './capture-report.ts';
import { endText, shortPlace } from './end-text.ts';

/** Whether what was seen is what the walk through the rules says. */
export function walkBeside(attempts: readonly Attempt[], flow: Flow, plan: WatchPlan): CaptureReport['walk'] {
  return { statement: walkText(flow), agrees: captureAgreement(attempts, flow, plan) };
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
  return unknown.length > 0
    ? `could not tell: ${shown}`
    : 'delivered there and back, as far as the nodes’ own state tells';
}
