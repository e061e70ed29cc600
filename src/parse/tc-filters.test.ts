import { describe, expect, test } from 'vitest';
import { parseTcFilters } from './tc-filters.ts';
import { expectEveryTruncationParses, expectFuzzParses } from './testing/parser-properties.ts';

/** tc 6.1 on a clsact hook with a classic BPF filter; and Cilium's as tc prints it (5.x and 6.x). */
const SECTIONS =
  '# v1 ingress\n' +
  '[{"protocol":"all","pref":49152,"kind":"bpf","chain":0},{"protocol":"all","pref":49152,"kind":"bpf","chain":0,"options":{"handle":"0x1","flowid":"1:1","not_in_hw":true,"bytecode":{"length":1,"insns":[{"code":6,"jt":0,"jf":0,"k":0}]}}}]\n' +
  '# v1 egress\n[]\n' +
  '# lxc1 ingress\n' +
  '[{"protocol":"all","pref":1,"kind":"bpf","chain":0},{"protocol":"all","pref":1,"kind":"bpf","chain":0,"options":{"handle":"0x1","bpf_name":"cil_from_container-lxc1","direct-action":true,"not_in_hw":true,"prog":{"id":77,"name":"cil_from_contai","tag":"ab","jited":1}}}]\n';

describe('parseTcFilters', () => {
  test('a filter with its hook; the line of its preference is no second one', () => {
    expect(parseTcFilters(SECTIONS)).toEqual({
      value: [
        { device: 'v1', direction: 'ingress', kind: 'bpf', name: '' },
        { device: 'lxc1', direction: 'ingress', kind: 'bpf', name: 'cil_from_container-lxc1' },
      ],
      unparsed: [],
    });
  });

  test('no hooks at all, and the JSON of the type itself', () => {
    expect(parseTcFilters('')).toEqual({ value: [], unparsed: [] });
    expect(parseTcFilters('[]')).toEqual({ value: [], unparsed: [] });
    const made = [{ device: 'eth0', direction: 'egress', kind: 'flower', name: '' }];
    expect(parseTcFilters(JSON.stringify(made))).toEqual({ value: made, unparsed: [] });
    expect(parseTcFilters('[{"device":"eth0","direction":"sideways","kind":"x"}]').unparsed).toHaveLength(1);
  });

  test('what has no heading, or is cut, is unparsed', () => {
    expect(parseTcFilters('Error: no device\n# v1 ingress\n[]\n').unparsed).toEqual([
      { line: 1, text: 'Error: no device' },
    ]);
    expect(parseTcFilters('# v1\n[{"kind":"bpf"}]').unparsed).toHaveLength(1);
    expect(parseTcFilters(SECTIONS.slice(0, 120)).unparsed.length).toBeGreaterThan(0);
    expect(parseTcFilters('# v1 ingress\n[{"protocol":"all"}]').unparsed).toHaveLength(1);
  });

  test('never throws', () => {
    expectEveryTruncationParses(SECTIONS, parseTcFilters);
    expectFuzzParses([SECTIONS], parseTcFilters);
  });
});
