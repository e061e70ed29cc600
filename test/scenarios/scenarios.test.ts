import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { wordsOfArguments } from '../../src/cli/words-of-arguments.ts';
import { createReplayHost } from '../../src/host/replay.ts';
import type { Report, ReportCause } from '../../src/report/report.ts';
import { decodeBundle } from '../../src/snapshot/bundle.ts';
import { triage } from '../../src/triage.ts';
import { ROOT } from '../tidy/sources.ts';

/** What a scenario expects; a subset of the report, so that reports may grow. */
interface Expectation {
  readonly question: readonly string[];
  readonly id?: string;
  readonly node?: string;
  readonly object?: string;
  readonly explains?: string;
  readonly verdict?: Report['verdict'];
}

const FOLDER = join(ROOT, 'scenarios');
const ids = readdirSync(FOLDER).filter((id) => existsSync(join(FOLDER, id, 'bundle.tar.gz')));

async function diagnoseBundle(id: string, probe: boolean): Promise<Report> {
  const { question } = expectationOf(id);
  const bundle = await decodeBundle(readFileSync(join(FOLDER, id, 'bundle.tar.gz')));
  expect(bundle.problems).toEqual([]);
  const words = wordsOfArguments(question);
  const capture = { sleep: async () => {}, dropReasons: true, traceRules: true };
  const options = {
    probe,
    capture,
    signal: new AbortController().signal,
    tell: () => {},
    notes: [],
    prepare: () => {},
  };
  const outcome = await triage(createReplayHost(bundle.replies), words, options);
  if (outcome.kind === 'problem') throw new Error(outcome.problem.problem);
  return outcome.report;
}

function expectationOf(id: string): Expectation {
  return JSON.parse(readFileSync(join(FOLDER, id, 'expect.json'), 'utf8')) as Expectation;
}

function nested(cause: ReportCause): string[] {
  return cause.explains.flatMap((child) => [child.id, ...nested(child)]);
}

describe.each(ids)('%s', (id) => {
  const expected = expectationOf(id);

  test('the recorded run is diagnosed again as expected', async () => {
    const report = await diagnoseBundle(id, true);
    expect(report.verdict).toBe(expected.verdict ?? 'fault');
    const [first] = report.causes;
    expect(first?.id).toBe(expected.id);
    expect(report.causes.filter((cause) => cause.gravity === 'fault').map((cause) => cause.id)).toEqual(
      expected.verdict === 'healthy' || expected.id === undefined ? [] : [expected.id],
    );
    expect(report.unexplained).toEqual([]);
    if (expected.node !== undefined) expect(first?.place.node).toBe(expected.node);
    if (expected.object !== undefined)
      expect(JSON.stringify([first?.title, first?.place, first?.evidence])).toContain(expected.object);
    if (expected.explains !== undefined) expect(nested(first!)).toContain(expected.explains);
  });

  test('by the state alone no other fault is named, and the right one if any', async () => {
    const report = await diagnoseBundle(id, false);
    const named = report.causes.filter((cause) => cause.gravity === 'fault').map((cause) => cause.id);
    if (expected.id === undefined) expect(named).toEqual([]);
    else expect([[], [expected.id]]).toContainEqual(named.slice(0, 1));
  });
});

describe('what the kernels said of their own drops is read again', () => {
  test.each([
    ['vxlan-bad-checksum', 'UDP_CSUM', 'tunnelled'],
    ['rp-filter-drop', 'IP_RPFILTER', 'itself'],
  ])('%s: %s', async (id, reason, as) => {
    const { causes, captures, disagreements } = await diagnoseBundle(id, true);
    expect(captures[0]!.kernel!.drops.filter(({ isLoss }) => isLoss)).toMatchObject([{ reason, as, leg: 'there' }]);
    expect(captures[0]!.kernel!.nodes.every(({ isWhole }) => isWhole)).toBe(true);
    expect(causes[0]!.evidence.map(({ kind }) => kind)).toContain('kernel-drop');
    expect(disagreements).toEqual([]);
  });

  test('a bundle without it tells nothing of it', async () => {
    const { captures } = await diagnoseBundle('overlay-port-blocked-fabric', true);
    expect(captures[0]).not.toHaveProperty('kernel');
    expect(captures[0]).not.toHaveProperty('rules');
  });
});

describe('a capture that was recorded is read again', () => {
  test('packets that no node drops are lost between the nodes, and that proves it', async () => {
    const { causes, captures } = await diagnoseBundle('overlay-port-blocked-fabric', true);
    expect(captures).toMatchObject([{ flow: 'main', verdict: 'lost', walk: { agrees: 'unknown' } }]);
    const { after, before } = captures[0]!.findings[0]!.loss!;
    const named = [after, ...before].map(({ point, way }) => {
      const { place, device } = captures[0]!.points[point]!;
      return `${place.node} ${way} ${device}`;
    });
    expect(named).toEqual(['w1 out eth0', 'w2 in eth0']);
    expect(causes[0]!.evidence.map(({ plane }) => plane)).toContain('capture');
    expect(causes[0]!.confidence).toBe('proven');
  });

  test('where it saw what the walk says, it stands beside the cause', async () => {
    const { causes, captures, disagreements } = await diagnoseBundle('pod-cidr-route-missing-back', true);
    expect(captures).toMatchObject([{ walk: { agrees: 'yes' } }]);
    expect(captures[0]!.findings.map(({ outcome }) => outcome)).toEqual(['lost-back']);
    expect(causes[0]!.evidence.map(({ plane }) => plane)).toContain('capture');
    expect(disagreements).toEqual([]);
  });
});

test('there are scenarios', () => {
  expect(ids.length).toBeGreaterThanOrEqual(5);
});
