import { describe, expect, it } from 'vitest';
import { dnsCandidates } from './dns-candidates.ts';

const CLUSTER = {
  search: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
  options: { ndots: '5' },
};

describe('dnsCandidates', () => {
  it('walks the search list first for a name with few dots', () => {
    expect(dnsCandidates('api', CLUSTER)).toEqual([
      'api.shop.svc.cluster.local.',
      'api.svc.cluster.local.',
      'api.cluster.local.',
      'api.',
    ]);
    expect(dnsCandidates('www.example.com', CLUSTER)[0]).toBe('www.example.com.shop.svc.cluster.local.');
  });

  it('asks a name with enough dots as it is first', () => {
    expect(dnsCandidates('a.b.c.d.e.f', CLUSTER)[0]).toBe('a.b.c.d.e.f.');
    expect(dnsCandidates('www.example.com', { ...CLUSTER, options: {} })[0]).toBe('www.example.com.');
  });

  it('asks a name with a final dot only as it is', () => {
    expect(dnsCandidates('api.shop.', CLUSTER)).toEqual(['api.shop.']);
  });

  it('takes ndots that is no number for 0, and no more than 15', () => {
    expect(dnsCandidates('api', { search: ['x'], options: { ndots: 'many' } })[0]).toBe('api.');
    expect(dnsCandidates('a.b', { search: ['x'], options: { ndots: '99' } })[0]).toBe('a.b.x.');
  });
});
