import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { renderJson } from './json.ts';
import type { Report } from './report.ts';
import { reportSchema } from './schema.ts';
import { faultReport, forkedReport, healthyReport, inconclusiveReport } from './testing/sample-reports.ts';
import { dispositions } from './trip-schema.ts';

const validate = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).compile(reportSchema);

/** What is wrong with a report, as JSON carries it. */
function faultsOf(report: unknown): string[] {
  validate(JSON.parse(JSON.stringify(report)));
  return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

describe('reports of every verdict are valid', () => {
  test.each([
    ['fault', faultReport()],
    ['an unexplained end', forkedReport()],
    ['healthy', healthyReport()],
    ['inconclusive', inconclusiveReport()],
  ] as const)('%s', (_, report) => {
    expect(faultsOf(JSON.parse(renderJson(report)))).toEqual([]);
  });

  test('ICMP, a tunnel and a packet with MAC addresses', () => {
    const report = healthyReport();
    const [path] = report.paths;
    const { forward } = path!.trip;
    const echo = { ...forward.packet, l4: { protocol: 'icmp', type: 8, code: 0, id: 7 } as const };
    const esp = { ...forward.packet, l4: { protocol: 50 } };
    const macs = { source: '02:42:0a:f4:01:05', destination: '02:42:0a:f4:01:01' };
    const packet = { ...forward.packet, macs, inner: { ...echo, inner: esp } };
    const paths = [{ ...path!, trip: { replies: [], forward: { ...forward, packet } } }];
    expect(faultsOf({ ...report, paths })).toEqual([]);
  });
});

describe('what is not a report is refused', () => {
  const fault = faultReport();
  const [cause] = fault.causes;
  const without = (key: keyof Report): object => Object.fromEntries(Object.entries(fault).filter(([k]) => k !== key));
  const withCause = (change: object): object => ({ ...fault, causes: [{ ...cause, ...change }] });

  test.each(Object.keys(fault) as (keyof Report)[])('%s is required', (key) => {
    expect(faultsOf(without(key))).toContain(` must have required property '${key}'`);
  });

  test.each([
    ['another version', { ...fault, schema: 'podtriage.report/v2' }],
    ['a verdict that does not exist', { ...fault, verdict: 'ok' }],
    ['a class that does not exist', { ...fault, class: 'slow' }],
    ['a field that nobody declared', { ...fault, extra: 1 }],
    ['a confidence that does not exist', withCause({ confidence: 'certain' })],
    ['a gravity that does not exist', withCause({ gravity: 'warning' })],
    ['a cause without evidence', withCause({ evidence: [] })],
    ['an id that is not kebab-case', withCause({ id: 'IpForward' })],
    ['a consequence that is no cause', withCause({ explains: [{ id: 'x' }] })],
    ['a place in no namespace', withCause({ place: { node: 'w1', namespace: 'pod' } })],
    ['an unknown disposition', { ...fault, unexplained: [{ ...forkedReport().unexplained[0], disposition: 'lost' }] }],
    ['a chance above 1', { ...fault, unexplained: [{ ...forkedReport().unexplained[0], chance: { min: 0, max: 2 } }] }],
    ['a step whose answer is a sentence', { ...fault, workflow: [{ ...fault.workflow[0], answer: 'perhaps' }] }],
    ['a probe that took a negative time', { ...fault, probes: [{ ...fault.probes[0], latencyMs: -1 }] }],
    ['a duration that is not a number', { ...fault, durationMs: '2340' }],
  ])('%s', (_, report) => {
    expect(faultsOf(report)).not.toEqual([]);
  });

  test('a walk that ends in something unknown', () => {
    const text = renderJson(fault).replaceAll('"forwarding-disabled"', '"vanished"');
    expect(faultsOf(JSON.parse(text))).not.toEqual([]);
  });
});

describe('dispositions', () => {
  const page = readFileSync(new URL('../../docs/dispositions.md', import.meta.url), 'utf8');

  test('each is defined in docs/dispositions.md, once, and nothing else is', () => {
    const defined = [...page.matchAll(/^### `([a-z-]+)`$/gm)].map((match) => match[1]);
    expect([...defined].sort()).toEqual([...dispositions].sort());
  });

  test('each says what the sender sees', () => {
    const [, ...sections] = page.split(/^### /m);
    expect(sections.filter((text) => !/^\*The sender sees\*/m.test(text)).map((text) => text.split('\n')[0])).toEqual(
      [],
    );
  });
});
