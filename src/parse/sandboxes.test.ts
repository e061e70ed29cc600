import { describe, expect, test } from 'vitest';
import { parseSandboxes } from './sandboxes.ts';
import { expectEveryTruncationParses, expectFuzzParses, expectWrongTypesParse } from './testing/parser-properties.ts';

const POD = {
  uid: 'b0155eca-35e4-4b4e-a724-b722201fe7e1',
  networkNamespace: 4026532281,
  pids: [310, 483],
  containerPid: 483,
  containers: [{ id: '29da18c745c2', pid: 483, command: 'flanneld', uid: 0 }],
};
const REPLY = JSON.stringify({ hostNetworkNamespace: 4026531840, pods: [POD] });

describe('parseSandboxes', () => {
  test('pods with their namespaces and processes', () => {
    expect(parseSandboxes(REPLY)).toEqual({ value: { hostNetworkNamespace: 4026531840, pods: [POD] }, unparsed: [] });
  });

  test('a pod of a runtime that shows no container; one that is broken loses no other', () => {
    const paused = { uid: 'u', networkNamespace: 1, pids: [1], containers: [] };
    const text = JSON.stringify({
      hostNetworkNamespace: 1,
      pods: [paused, { uid: 'x' }, 7, { ...POD, containers: [{}] }],
    });
    const { value, unparsed } = parseSandboxes(text);
    expect(value.pods).toEqual([paused]);
    expect(unparsed).toHaveLength(3);
  });

  test('what is no such answer is not an empty node', () => {
    expect(parseSandboxes('').unparsed).toHaveLength(1);
    expect(parseSandboxes('{}').unparsed).toHaveLength(1);
    expect(parseSandboxes('{"hostNetworkNamespace":1}').unparsed).toHaveLength(1);
    expect(parseSandboxes('{"hostNetworkNamespace":1,"pods":[]}').unparsed).toEqual([]);
  });

  test('never throws', () => {
    expectEveryTruncationParses(REPLY, parseSandboxes);
    expectFuzzParses([REPLY], parseSandboxes);
    expectWrongTypesParse(REPLY, parseSandboxes);
  });
});
