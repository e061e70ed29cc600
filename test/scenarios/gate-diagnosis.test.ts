import { describe, expect, test } from 'vitest';
import type { Reply } from '../../src/host/host.ts';
import { createReplayHost } from '../../src/host/replay.ts';
import type { Report, ReportCause } from '../../src/report/report.ts';
import { triage } from '../../src/triage.ts';
import { constructedScenarios, loadScenario } from './load-scenario.ts';

async function diagnose(id: string, replies: readonly Reply[], probe: boolean): Promise<Report> {
  const { expect: wanted } = loadScenario(id);
  const options = { probe, signal: new AbortController().signal, tell: () => {}, notes: [], prepare: () => {} };
  const outcome = await triage(
    createReplayHost(replies, () => 0),
    wanted.question,
    options,
  );
  if (outcome.kind === 'problem') throw new Error(outcome.problem.problem);
  return outcome.report;
}

function ids(causes: readonly ReportCause[]): string[] {
  return causes.filter((one) => one.gravity === 'fault').flatMap((one) => [one.id, ...ids(one.explains)]);
}

/** The same case, but nothing answers: what a cause concludes from the state must not be a component's absence. */
function withFailingProbes(replies: readonly Reply[]): readonly Reply[] {
  const silent: Readonly<Record<string, string>> = {
    'probe.tcp': '{"outcome":"timed-out","errno":"ETIMEDOUT"}',
    'probe.icmp': '{"outcome":"silent","sent":3,"received":0,"errors":[]}',
    'probe.dns': '{"outcome":"timed-out","addresses":[],"names":[],"truncated":false}',
  };
  return replies.map((reply) => {
    const answer = silent[reply.request.action];
    return answer === undefined || reply.got === 'nothing'
      ? reply
      : { ...reply, raw: new TextEncoder().encode(answer) };
  });
}

describe.each(constructedScenarios())('%s', (id) => {
  const { replies, expect: wanted } = loadScenario(id);

  test('as it is: no cause, and healthy only where that is known', async () => {
    const report = await diagnose(id, replies, true);
    expect({ verdict: report.verdict, causes: ids(report.causes), unexplained: report.unexplained }).toEqual({
      verdict: wanted.verdict,
      causes: [],
      unexplained: [],
    });
  });

  test('by the state alone', async () => {
    const report = await diagnose(id, replies, false);
    expect({ verdict: report.verdict, causes: ids(report.causes), unexplained: report.unexplained }).toEqual({
      verdict: wanted.verdictWithoutProbes,
      causes: [],
      unexplained: [],
    });
  });

  test('when nothing answers, still nothing is blamed for what it does not have', async () => {
    const report = await diagnose(id, withFailingProbes(replies), true);
    expect(ids(report.causes).filter((cause) => !wanted.causes.includes(cause))).toEqual([]);
    expect(report.verdict).not.toBe('healthy');
  });
});
