import { describe, expect, it } from 'vitest';
import { describeTimes } from './describe-times.ts';

describe('describeTimes', () => {
  it('computes what Python does of the same times', () => {
    /*
     * import statistics as s; t = [0.31, 0.42, 0.28, 0.35, 1003.2, 0.3, 0.29, 0.33, 0.41, 0.5]
     * min(t), s.mean(t), max(t), s.pstdev(t); q = s.quantiles(t, n=100, method='inclusive'); q[49], q[94], q[98]
     */
    expect(describeTimes([0.31, 0.42, 0.28, 0.35, 1003.2, 0.3, 0.29, 0.33, 0.41, 0.5])).toEqual({
      count: 10,
      minMs: 0.28,
      avgMs: 100.639,
      maxMs: 1003.2,
      stddevMs: 300.854,
      p50Ms: 0.34,
      p95Ms: 551.985,
      p99Ms: 912.957,
    });
  });

  it('has a deviation like ping’s own of the same answers', () => {
    // rtt min/avg/max/mdev = 0.043/0.080/0.118/0.037 ms (src/probe/ping.test.ts)
    const times = describeTimes([0.118, 0.043])!;
    expect([times.minMs, times.maxMs]).toEqual([0.043, 0.118]);
    expect(times.avgMs).toBeCloseTo(0.08, 2);
    expect(times.stddevMs).toBeCloseTo(0.037, 2);
  });

  it('keeps what is small beside what is large', () => {
    // E[x²] − E[x]² loses these 0.1 ms in double precision when the times are 1e9.
    const times = describeTimes([1e9, 1e9 + 0.2])!;
    expect(times.stddevMs).toBeCloseTo(0.1, 3);
  });

  it('knows one time, and none', () => {
    expect(describeTimes([2])).toMatchObject({ count: 1, minMs: 2, stddevMs: 0, p50Ms: 2, p95Ms: 2, p99Ms: 2 });
    expect(describeTimes([])).toBeUndefined();
  });
});
