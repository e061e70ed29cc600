import { describe, expect, it } from 'vitest';
import { askTcFilters, hooksOf } from './node-side-tc-filters.ts';

/* Captured from iproute2 6.1. */
const QDISCS =
  '[{"kind":"noqueue","handle":"0:","dev":"lo","root":true,"refcnt":2,"options":{}},{"kind":"ingress","handle":"ffff:","dev":"vb","parent":"ffff:fff1","options":{}},{"kind":"clsact","handle":"ffff:","dev":"va","parent":"ffff:fff1","options":{}}]';
const FILTERS =
  '[{"protocol":"all","pref":49152,"kind":"bpf","chain":0},{"protocol":"all","pref":49152,"kind":"bpf","chain":0,"options":{"handle":"0x1","flowid":"1:1"}}]';

function answer(text: string) {
  return {
    got: 'raw',
    raw: new TextEncoder().encode(text),
    exitCode: 0,
    truncated: false,
    tool: 'iproute2-6.1.0',
  } as const;
}

describe('hooksOf', () => {
  it('finds the hooks of ingress and clsact qdiscs', () => {
    expect(hooksOf(QDISCS)).toEqual([
      { device: 'vb', direction: 'ingress' },
      { device: 'va', direction: 'ingress' },
      { device: 'va', direction: 'egress' },
    ]);
  });

  it('claims nothing of JSON that is cut', () => {
    for (let length = 1; length < QDISCS.length; length++) expect(hooksOf(QDISCS.slice(0, length))).toBeUndefined();
  });
});

describe('askTcFilters', () => {
  it('lists every hook under its own heading', async () => {
    const asked: (string | undefined)[] = [];
    const answered = await askTcFilters(async (_argv, input) => {
      asked.push(input);
      return answer(input === undefined ? QDISCS : `[]\n${FILTERS}\n[]\n`);
    });
    expect(asked[1]).toBe('filter show dev vb ingress\nfilter show dev va ingress\nfilter show dev va egress\n');
    expect(answered.got === 'raw' && Buffer.from(answered.raw).toString()).toBe(
      `# vb ingress\n[]\n# va ingress\n${FILTERS}\n# va egress\n[]\n`,
    );
  });

  it('is empty and complete without a hook', async () => {
    const answered = await askTcFilters(async () => answer('[]'));
    expect(answered).toMatchObject({ got: 'raw', truncated: false });
    expect(answered.got === 'raw' && answered.raw.length).toBe(0);
  });

  it('is a gap where a device went away meanwhile, rather than filters under the wrong name', async () => {
    const answered = await askTcFilters(async (_argv, input) => answer(input === undefined ? QDISCS : `[]\n[]\n`));
    expect(answered).toMatchObject({ got: 'nothing', gap: 'failed' });
  });
});
