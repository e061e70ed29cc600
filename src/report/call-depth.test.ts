import { expect, test } from 'vitest';
import { step } from '../diagnose/testing/build-case.ts';
import { callDepths, idleCalls } from './call-depth.ts';
import { ruleStep } from './testing/sample-traces.ts';

const rule = (text: string, hook = 'forward', table = 'filter') => ruleStep(hook, table, text, { line: 1 });

const call = rule('-A FORWARD -j KUBE-FORWARD');
const inside = rule('-A KUBE-FORWARD -j KUBE-INNER');
const inner = rule('-A KUBE-INNER -j RETURN');
const back = rule('-A FORWARD -j FLANNEL-FWD');
const last = rule('-A FLANNEL-FWD -j ACCEPT');

test('a rule stands as deep as its chain was called, and its caller’s next rule as deep as the caller', () => {
  expect(callDepths([call, inside, inner, back, last])).toEqual([0, 1, 2, 0, 1]);
});

test('another table begins anew, and what is no rule stands at the edge', () => {
  const nat = rule('-A POSTROUTING -j KUBE-POSTROUTING', 'postrouting', 'nat');
  const masked = rule('-A KUBE-POSTROUTING -j RETURN', 'postrouting', 'nat');
  expect(callDepths([call, inside, step(), nat, masked])).toEqual([0, 1, 0, 0, 1]);
});

test('a call is idle where no rule of the called chain matched in this table', () => {
  const elsewhere = rule('-A KUBE-INNER -j RETURN', 'output');
  const passed = { ...inner, matched: 'no' as const };
  expect([...idleCalls([call, inside, inner])]).toEqual([]);
  expect([...idleCalls([call, inside, passed, elsewhere])]).toEqual([inside]);
  expect([...idleCalls([rule('-A FORWARD -j ACCEPT')])]).toEqual([]);
});
