import { expect, test } from 'vitest';
import {
  buildCase,
  checkWith,
  fakeSnapshot,
  flow,
  leafTrace,
  probe,
  SERVER_PLACE,
  step,
} from '../../diagnose/testing/build-case.ts';
import type { Socket } from '../../parse/ss.ts';
import { presentOf, socket, statements } from '../testing/cause-cases.ts';
import { noListener } from './no-listener.ts';

const refused = flow({
  forward: leafTrace('no-listener', {
    place: SERVER_PLACE,
    senderSees: 'reset',
    steps: [step({ kind: 'socket', at: 'socket tcp 8080', values: { protocol: 'tcp', port: 8080, reason: 'none' } })],
  }),
  probe: probe('no', 'refused'),
});

function check(sockets: readonly Socket[], complete = true, flows = [refused]) {
  const snapshot = fakeSnapshot({ facts: [['sockets', SERVER_PLACE, {}, sockets, { complete }]] });
  return checkWith(noListener, buildCase({ snapshot, flows }));
}

test('present: nothing has the port; what does listen is named, and a listener would mend it', () => {
  const finding = check([socket(9090)]);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toMatchObject({ node: 'w2', namespace: 'pod/demo/web', object: 'tcp port 8080' });
  expect(statements(finding)).toContain('listening there: 9090 (app)');
  expect(presentOf(finding).change?.[0]).toMatchObject({
    op: 'socket',
    act: 'add',
    line: 'tcp LISTEN 0 128 *:8080 *:*',
  });
});

test('absent: the walk ends at a listener', () => {
  expect(check([socket(8080)], true, [flow()]).is).toBe('absent');
});

test('near miss: the port is bound to the loopback only', () => {
  expect(check([socket(8080, '127.0.0.1')]).is).toBe('absent');
});

test('unknown: the sockets were not read wholly (a sandboxed runtime, a cut list)', () => {
  expect(check([], false).is).toBe('unknown');
});
