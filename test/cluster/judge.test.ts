import { describe, expect, test } from 'vitest';
import type { CauseSeen, Diagnosis, ReportSeen } from './diagnose.ts';
import { judgeFault, judgeHealthy } from './judge.ts';

const cause: CauseSeen = {
  id: 'ip-forward-disabled',
  confidence: 'proven',
  title: 'forwarding is off',
  place: { node: 'w2', namespace: 'host', object: 'net.ipv4.ip_forward' },
  evidence: [{ statement: 'net.ipv4.ip_forward is 0' }],
  explains: [
    {
      id: 'dns-service-unreachable',
      confidence: 'observed',
      title: '',
      place: { node: '', namespace: '' },
      evidence: [],
    },
  ],
};
const report: ReportSeen = { schema: 'podtriage.report/v1', verdict: 'fault', causes: [cause] };
const diagnosis: Diagnosis = { args: [], exit: 1, report, said: '', tookMs: 1 };
const expected = { id: 'ip-forward-disabled', node: 'w2', object: 'ip_forward' };

describe('judgeFault', () => {
  test('right in all', () => {
    expect(judgeFault(diagnosis, { ...expected, explains: 'dns-service-unreachable' })).toEqual([]);
  });

  test.each([
    [{ id: 'link-down' }, 'names ip-forward-disabled'],
    [{ node: 'w1' }, 'places it at w2, not w1'],
    [{ object: 'rp_filter' }, 'does not name rp_filter'],
    [{ explains: 'dns-no-endpoints' }, 'does not nest dns-no-endpoints'],
    [{ exit: 0 }, 'exit 1, not 0'],
  ])('%j is not what it says', (other, complaint) => {
    expect(judgeFault(diagnosis, { ...expected, ...other }).join()).toContain(complaint);
  });

  test('the right cause behind another one is wrong', () => {
    const before = { ...cause, id: 'link-down' };
    const wrong = judgeFault({ ...diagnosis, report: { ...report, causes: [before, cause] } }, expected);
    expect(wrong.join('\n')).toContain('names link-down');
  });

  test('another fault behind the right cause is wrong, what is so by design is not', () => {
    const after = { ...cause, id: 'link-down', gravity: 'fault' };
    const both = { ...report, causes: [cause, after] };
    expect(judgeFault({ ...diagnosis, report: both }, expected).join('\n')).toContain('also names link-down');
    const note = { ...report, causes: [cause, { ...after, gravity: 'by-design' }] };
    expect(judgeFault({ ...diagnosis, report: note }, expected)).toEqual([]);
  });

  test('an inconclusive report says what it could not see', () => {
    const blind = { ...report, verdict: 'inconclusive', causes: [], target: { notes: ['no helper on node w1'] } };
    expect(judgeFault({ ...diagnosis, exit: 3, report: blind }, expected)[0]).toContain('no helper on node w1');
    const gap = { ...blind, target: {}, notChecked: [{ id: 'link-down', because: 'links of w1: timed out' }] };
    expect(judgeFault({ ...diagnosis, exit: 3, report: gap }, expected)[0]).toContain('links of w1: timed out');
  });

  test('no cause, and no report', () => {
    expect(judgeFault({ ...diagnosis, report: { ...report, causes: [] } }, expected)[0]).toContain('no cause named');
    expect(judgeFault({ ...diagnosis, report: undefined, exit: 4, said: 'no access' }, expected)).toEqual([
      'no report, exit 4: no access',
    ]);
  });
});

describe('judgeHealthy', () => {
  const healthy: Diagnosis = { ...diagnosis, exit: 0, report: { ...report, verdict: 'healthy', causes: [] } };

  test('healthy', () => {
    expect(judgeHealthy(healthy)).toEqual([]);
  });

  test('a cause, an unexplained dead end, or an inconclusive verdict is wrong', () => {
    expect(judgeHealthy(diagnosis)).toHaveLength(3);
    expect(judgeHealthy({ ...healthy, report: { ...healthy.report!, unexplained: [{}] } })).toEqual(['1 unexplained']);
    expect(judgeHealthy({ ...healthy, exit: 3, report: { ...healthy.report!, verdict: 'inconclusive' } })).toHaveLength(
      2,
    );
  });
});
