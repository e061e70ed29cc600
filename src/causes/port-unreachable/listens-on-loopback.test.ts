import { expect, test } from 'vitest';
import {
  buildCase,
  checkWith,
  fakeSnapshot,
  flow,
  leafTrace,
  probe,
  SERVER_PLACE,
} from '../../diagnose/testing/build-case.ts';
import type { Socket } from '../../parse/ss.ts';
import { presentOf, socket, statements } from '../testing/cause-cases.ts';
import { listensOnLoopback } from './listens-on-loopback.ts';

const refused = flow({
  forward: leafTrace('no-listener', { place: SERVER_PLACE, senderSees: 'reset' }),
  probe: probe('no', 'refused'),
});

function check(sockets: readonly Socket[], flows = [refused]) {
  const snapshot = fakeSnapshot({ facts: [['sockets', SERVER_PLACE, {}, sockets]] });
  return checkWith(listensOnLoopback, buildCase({ snapshot, flows }));
}

test('present: bound to 127.0.0.1; the socket’s own line is the evidence', () => {
  const finding = check([socket(8080, '127.0.0.1')]);
  expect(presentOf(finding).place?.object).toBe('127.0.0.1:8080');
  expect(presentOf(finding).evidence[0].source.text).toBe('tcp LISTEN 0 128 127.0.0.1:8080 *:*');
  expect(statements(finding)).toContain('which only the pod itself can reach');
});

test('present: bound to one address of several', () => {
  expect(statements(check([socket(8080, '10.0.0.9')]))).toContain('while the packet is for 10.244.2.7');
});

test('absent: the walk ends at a listener', () => {
  expect(check([socket(8080, '127.0.0.1')], [flow()]).is).toBe('absent');
});

test('near miss: nothing has the port, or only UDP has it', () => {
  expect(check([socket(9090, '127.0.0.1')]).is).toBe('absent');
  expect(check([socket(8080, '127.0.0.1', 'udp')]).is).toBe('absent');
});
