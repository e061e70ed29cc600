import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Parsed } from '../parsed.ts';

/** Test helper: what every parser keeps, whatever its input is. The seed is fixed, so that a failure can be repeated. */
const SEED = 20260101;
const RUNS = 150;
const CUTS_MAX = 400;

/** Cut anywhere (every byte of short texts, `CUTS_MAX` places of long ones), a text is parsed without an exception. */
export function expectEveryTruncationParses<T>(text: string, parse: (text: string) => Parsed<T>): void {
  const step = Math.max(1, Math.floor(text.length / CUTS_MAX));
  for (let length = 0; length <= text.length; length += step) checkShape(parse(text.slice(0, length)));
}

/** Seeded noise: mutated real texts and arbitrary strings and JSON never throw and always give value and unparsed. */
export function expectFuzzParses<T>(samples: readonly string[], parse: (text: string) => Parsed<T>): void {
  const mutated = fc
    .tuple(
      fc.constantFrom(...samples),
      fc.nat(),
      fc.nat(40),
      fc.oneof(fc.string(), fc.constantFrom('null', '[', '{}', '-1', '"', '\n', '\0')),
    )
    .map(([sample, at, length, noise]) => {
      const start = sample.length === 0 ? 0 : at % sample.length;
      return sample.slice(0, start) + noise + sample.slice(start + length);
    });
  const values = fc.oneof(
    { weight: 4, arbitrary: mutated },
    fc.string(),
    fc.json(),
    fc.json().map((json) => `[${json}]`),
  );
  fc.assert(
    fc.property(values, (text) => checkShape(parse(text))),
    { seed: SEED, numRuns: RUNS },
  );
}

/** The values of JSON items replaced one by one by something of another type. */
export function expectWrongTypesParse<T>(json: string, parse: (text: string) => Parsed<T>): void {
  const document: unknown = JSON.parse(json);
  for (const wrong of [null, 7, -1, 'x', true, [], {}, [null], { a: null }]) {
    for (const path of pathsOf(document).slice(0, CUTS_MAX))
      checkShape(parse(JSON.stringify(replaceAt(document, path, wrong))));
  }
}

function checkShape<T>(parsed: Parsed<T>): void {
  expect(parsed.value).toBeDefined();
  expect(Array.isArray(parsed.unparsed)).toBe(true);
  for (const line of parsed.unparsed) {
    expect(typeof line.text).toBe('string');
    expect(line.line).toBeGreaterThanOrEqual(0);
  }
}

type Path = readonly (string | number)[];

function pathsOf(value: unknown, at: Path = []): Path[] {
  if (Array.isArray(value)) return [at, ...value.slice(0, 3).flatMap((entry, index) => pathsOf(entry, [...at, index]))];
  if (typeof value !== 'object' || value === null) return [at];
  return [at, ...Object.entries(value).flatMap(([key, entry]) => pathsOf(entry, [...at, key]))];
}

function replaceAt(value: unknown, path: Path, replacement: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return replacement;
  if (Array.isArray(value))
    return value.map((entry, index) => (index === head ? replaceAt(entry, rest, replacement) : entry));
  return { ...(value as object), [head]: replaceAt((value as Record<string, unknown>)[head], rest, replacement) };
}

/** A captured text of `src/parse/fixtures`. */
export function fixture(name: string): string {
  return readFileSync(new URL(`../fixtures/${name}`, import.meta.url), 'utf8');
}
