import { expect, test } from 'vitest';
import { given, snapshotOf } from '../../test/scenarios/given-facts.ts';
import { SHOP } from '../../test/scenarios/shop-cluster.ts';
import { podPlace } from '../net/place.ts';
import { isTargetProblem, type Question } from '../target/question.ts';
import { resolveQuestion } from '../target/resolve-question.ts';
import { mainFlow, notesOnAddress } from './main-flow.ts';

const web = podPlace('w1', 'shop', 'web-7d9-c');
const resolv = given('resolv-conf', { nameservers: ['10.96.0.10'], search: [], options: {} }, web);
const SNAPSHOT = snapshotOf([...SHOP, resolv]);

function notesOn(destination: string): readonly string[] | string {
  const question = resolveQuestion(SNAPSHOT, { source: 'pod/shop/web-7d9-c', destination }) as Question;
  const main = mainFlow(SNAPSHOT, question);
  return isTargetProblem(main) ? main.problem : notesOnAddress(SNAPSHOT, question, main);
}

test('an address that a look-up would tell is told to be none that was looked up, or one of several', () => {
  expect(notesOn('api:80')).toEqual([
    'no answer of DNS for api is known: 10.96.0.20 is the address of its Service, and whether the name is found is not walked',
  ]);
  expect(notesOn('svc/shop/db:5432')).toEqual([
    expect.stringMatching(/^a headless Service is the addresses of its pods: \S+ is one of them, the others are not/),
  ]);
  expect(notesOn('svc/shop/api:80')).toEqual([]);
  expect(notesOn('pod/shop/db-0:5432')).toEqual([]);
});

test('a port that the Service does not have is told beside those that it has', () => {
  expect(notesOn('svc/shop/api:htp')).toMatch(/^svc\/shop\/api:htp has no such port \(its ports: .*80\/tcp.*\)$/);
});
