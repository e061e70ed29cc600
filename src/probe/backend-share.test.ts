import { describe, expect, it } from 'vitest';
import { backendShare, wilsonInterval } from './backend-share.ts';

const backend = (name: string, failed: number, sent = 20) => ({ name, sent, failed });
const GOOD = [backend('10.244.1.4:80', 0), backend('10.244.2.5:80', 0)];
const DEAD = backend('10.244.3.6:80', 20);

describe('backendShare', () => {
  it('finds that one bad backend of three explains a third', () => {
    const finding = backendShare({ sent: 100, failed: 34 }, [...GOOD, DEAD])!;
    expect(finding.explains).toBe('backend');
    expect(finding.expected).toBeCloseTo(1 / 3, 10);
    expect(finding.statement).toBe(
      '34 of 100 (34 %) fail through the Service; 1 of 3 backends fails always (10.244.3.6:80), which would explain 33 %: that explains it',
    );
  });

  it('finds that more fails than a bad backend explains', () => {
    const finding = backendShare({ sent: 100, failed: 60 }, [...GOOD, DEAD])!;
    expect(finding.explains).toBe('way');
    expect(finding.statement).toMatch(/more fails than that explains$/);
  });

  it('does not blame a backend where each answers by itself', () => {
    const finding = backendShare({ sent: 20, failed: 5 }, GOOD)!;
    expect(finding.explains).toBe('way');
    expect(finding.statement).toMatch(/every backend that was tried by itself \(2\) always answers/);
  });

  it('tells a bad backend that the Service does not send to', () => {
    const finding = backendShare({ sent: 100, failed: 0 }, [...GOOD, DEAD])!;
    expect(finding.explains).toBe('unknown');
    expect(finding.statement).toMatch(/sends it less than its share/);
  });

  it('adds up what backends lose in part', () => {
    // (0 + 0 + 6/20) / 3 = 10 %
    const finding = backendShare({ sent: 40, failed: 4 }, [...GOOD, backend('10.244.3.6:80', 6)])!;
    expect(finding.explains).toBe('backend');
    expect(finding.statement).toMatch(/\(10\.244\.3\.6:80: 6 of 20\), which would explain 10 %: that explains it$/);
  });

  it('compares nothing where connections are spread unevenly, or a backend could not be tried', () => {
    const kept = 'the Service keeps a client at one backend';
    expect(backendShare({ sent: 20, failed: 20 }, [...GOOD, DEAD], kept)!.explains).toBe('unknown');
    const untried = backendShare({ sent: 20, failed: 7 }, [...GOOD, DEAD, backend('10.244.4.7:80', 0, 0)])!;
    expect(untried.explains).toBe('unknown');
    expect(untried.statement).toMatch(/1 backend could not be tried/);
  });

  it('says so where nothing fails, and nothing where nothing is known', () => {
    expect(backendShare({ sent: 20, failed: 0 }, GOOD)!.explains).toBe('none');
    expect(backendShare({ sent: 0, failed: 0 }, GOOD)).toBeUndefined();
    expect(backendShare({ sent: 20, failed: 0 }, [])).toBeUndefined();
  });
});

describe('wilsonInterval', () => {
  // The roots of (p − share)² = z² p (1 − p) / n, found by bisection in Python.
  it.each([
    [7, 20, 0.14638488, 0.62835418],
    [0, 20, 0, 0.24913019],
    [34, 100, 0.23136822, 0.46854487],
    [20, 20, 0.75086981, 1],
  ])('of %i of %i', (failed, sent, low, high) => {
    const interval = wilsonInterval({ sent, failed });
    expect(interval.low).toBeCloseTo(low, 4);
    expect(interval.high).toBeCloseTo(high, 4);
  });
});
