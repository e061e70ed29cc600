import { describe, expect, it } from 'vitest';
import { isLeftover } from './kubernetes-sweep.ts';

const NOW = Date.parse('2026-01-01T01:00:00Z');
const object = (run: string | undefined, createdAt: string, rest: object = {}) => ({
  metadata: {
    name: 'podtriage-x-0',
    creationTimestamp: createdAt,
    labels: (run === undefined ? {} : { 'podtriage.dev/run': run }) as Record<string, string>,
  },
  spec: { activeDeadlineSeconds: 300 },
  ...rest,
});

describe('isLeftover', () => {
  it('is what passed its deadline', () => {
    expect(isLeftover(object('old', '2026-01-01T00:54:00Z'), 'mine', NOW)).toBe(true);
  });

  it('is what has ended, whenever it was made', () => {
    const complete = { status: { conditions: [{ type: 'Failed', status: 'True' }] } };
    expect(isLeftover(object('old', '2026-01-01T00:59:59Z', complete), 'mine', NOW)).toBe(true);
    expect(isLeftover(object('old', '2026-01-01T00:59:59Z', { status: { phase: 'Failed' } }), 'mine', NOW)).toBe(true);
  });

  it('is not what another run may be using now, nor what has just passed its deadline', () => {
    expect(isLeftover(object('other', '2026-01-01T00:59:00Z', { status: { phase: 'Running' } }), 'mine', NOW)).toBe(
      false,
    );
    expect(isLeftover(object('other', '2026-01-01T00:54:55Z'), 'mine', NOW)).toBe(false);
  });

  it('is never our own, nor what no run made', () => {
    expect(isLeftover(object('mine', '2026-01-01T00:00:00Z'), 'mine', NOW)).toBe(false);
    expect(isLeftover(object(undefined, '2026-01-01T00:00:00Z'), 'mine', NOW)).toBe(false);
  });

  it('is not a Job’s pod, which goes with its Job, nor what is going already', () => {
    const owned = object('old', '2026-01-01T00:00:00Z');
    const ownerReferences = [{ kind: 'Job', name: 'j', uid: 'u', controller: true }];
    expect(isLeftover({ ...owned, metadata: { ...owned.metadata, ownerReferences } }, 'mine', NOW)).toBe(false);
    expect(isLeftover({ ...owned, metadata: { ...owned.metadata, deletionTimestamp: 'now' } }, 'mine', NOW)).toBe(
      false,
    );
  });

  it('is not what has no deadline that we could judge by', () => {
    expect(isLeftover({ ...object('old', '2026-01-01T00:00:00Z'), spec: {} }, 'mine', NOW)).toBe(false);
  });
});
