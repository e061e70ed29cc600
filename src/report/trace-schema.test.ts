import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { renderTraceJson } from './json.ts';
import { deliveredReport, serviceTrace, traceReport, undecidedTrace, whatIfReport } from './testing/sample-traces.ts';
import type { TraceReport } from './trace-report.ts';
import { traceSchema } from './trace-schema.ts';

const validate = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).compile(traceSchema);

function faultsOf(report: unknown): string[] {
  validate(JSON.parse(JSON.stringify(report)));
  return (validate.errors ?? []).map((error) => `${error.instancePath} ${error.message}`);
}

describe('traces of every verdict are valid', () => {
  test.each([
    ['delivered', deliveredReport(), 'delivered'],
    ['a backend that dies', traceReport(serviceTrace(2, 1)), 'lost'],
    ['something undecided', traceReport(undecidedTrace()), 'unknown'],
    ['a what-if', whatIfReport(), 'delivered'],
  ] as const)('%s', (_, report, verdict) => {
    expect(report.verdict).toBe(verdict);
    expect(faultsOf(JSON.parse(renderTraceJson(report)))).toEqual([]);
  });
});

describe('what is not a trace is refused', () => {
  const trace = whatIfReport();

  test.each(Object.keys(trace).filter((key) => key !== 'whatIf') as (keyof TraceReport)[])('%s is required', (key) => {
    const without = Object.fromEntries(Object.entries(trace).filter(([name]) => name !== key));
    expect(faultsOf(without)).toContain(` must have required property '${key}'`);
  });

  test.each([
    ['a report’s schema', { ...trace, schema: 'podtriage.report/v1' }],
    ['a verdict that does not exist', { ...trace, verdict: 'healthy' }],
    ['a field that nobody declared', { ...trace, extra: 1 }],
    ['a fate that does not exist', { ...trace, ends: [{ ...trace.ends[0], fate: 'dead' }] }],
    ['a leg that does not exist', { ...trace, ends: [{ ...trace.ends[0], leg: 'back' }] }],
    ['a what-if without changes', { ...trace, whatIf: { ...trace.whatIf, changes: [] } }],
    ['a trip without ways back', { ...trace, trip: { forward: trace.trip.forward } }],
  ])('%s', (_, report) => {
    expect(faultsOf(report)).not.toEqual([]);
  });
});
