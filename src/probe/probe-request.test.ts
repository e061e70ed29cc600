import { describe, expect, it } from 'vitest';
import { jobOf, pingQuestionOf, userOf } from './probe-request.ts';

describe('jobOf', () => {
  it('reads the arguments of each probe', () => {
    expect(jobOf(3, 'probe.tcp', { address: '10.0.0.1', port: 80, timeoutMs: 500 })).toEqual({
      ...{ id: 3, action: 'probe.tcp', timeoutMs: 500 },
      ...{ address: '10.0.0.1', port: 80 },
    });
    expect(
      jobOf(3, 'probe.dns', { server: 'FD00::0A', name: 'a.', type: 'AAAA', transport: 'tcp', timeoutMs: 1 }),
    ).toEqual({
      id: 3,
      action: 'probe.dns',
      server: 'fd00::a',
      port: 53,
      name: 'a.',
      type: 'AAAA',
      transport: 'tcp',
      timeoutMs: 1,
    });
  });

  it('reads when a connect is to begin, and from which port', () => {
    const args = { address: '10.0.0.1', port: 80, timeoutMs: 500, afterMs: 400, sourcePort: 40_000 };
    expect(jobOf(3, 'probe.tcp', args)).toMatchObject({ afterMs: 400, sourcePort: 40_000 });
    // It may not end later than any other probe.
    expect(() => jobOf(3, 'probe.tcp', { ...args, afterMs: 29_501 })).toThrow(/afterMs/);
    expect(() => jobOf(3, 'probe.tcp', { ...args, sourcePort: 0 })).toThrow(/sourcePort/);
  });

  it.each([
    [{ address: 'example.com', port: 80, timeoutMs: 1 }, /no address/],
    [{ address: '10.0.0.1; id', port: 80, timeoutMs: 1 }, /no address/],
    [{ address: '10.0.0.1', port: 0, timeoutMs: 1 }, /port/],
    [{ address: '10.0.0.1', port: '80', timeoutMs: 1 }, /port/],
    [{ address: '10.0.0.1', port: 80, timeoutMs: 86_400_000 }, /timeoutMs/],
    [{ address: '10.0.0.1', port: 80 }, /timeoutMs/],
  ])('refuses %o', (args, message) => {
    expect(() => jobOf(1, 'probe.tcp', args)).toThrow(message);
  });

  it('refuses a name that is none', () => {
    const args = { server: '10.0.0.1', timeoutMs: 1 };
    expect(() => jobOf(1, 'probe.dns', { ...args, name: '' })).toThrow(/name/);
    expect(() => jobOf(1, 'probe.dns', { ...args, name: 'a b' })).toThrow(/name/);
  });
});

describe('pingQuestionOf', () => {
  it('has a size and a count without being told', () => {
    expect(pingQuestionOf({ address: '10.0.0.1', timeoutMs: 1_000 })).toEqual({
      ...{ address: '10.0.0.1', sizeBytes: 56, df: false, count: 3, intervalMs: 200, timeoutMs: 1_000 },
    });
    expect(() => pingQuestionOf({ address: '10.0.0.1', timeoutMs: 1_000, count: 1_000 })).toThrow(/count/);
    expect(() => pingQuestionOf({ address: '10.0.0.1', timeoutMs: 1_000, intervalMs: 1 })).toThrow(/intervalMs/);
    expect(() => pingQuestionOf({ address: '-f', timeoutMs: 1_000 })).toThrow(/no address/);
  });
});

describe('userOf', () => {
  it('is a number or nobody', () => {
    expect(userOf({})).toBeUndefined();
    expect(userOf({ uid: 1_000 })).toBe(1_000);
    expect(() => userOf({ uid: 'root' })).toThrow(/uid/);
  });
});
