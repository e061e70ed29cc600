import { expect, test } from 'vitest';
import { buildCase, checkWith, flow, leafTrace, probe, step } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { CLIENT_IP, namedOn, recordedCase, W1, W2, W2_IP } from '../testing/recorded-case.ts';
import { addRoute, removeRoute, sysctl } from '../testing/recorded-faults.ts';
import { rpFilterDrop } from './rp-filter-drop.ts';

/** w1 routes directly, w2 still through the tunnel: that works until w2 filters strictly. */
const uneven = addRoute(W1, `10.244.1.0/24 via ${W2_IP} dev eth0`);
const strict = sysctl(W2, 'net.ipv4.conf.all.rp_filter', '1');
const probes = { main: probe('no', 'timed-out') };

const snmp = (dropped: number) =>
  JSON.stringify({
    files: [
      {
        path: '/proc/net/netstat',
        text: `TcpExt: SyncookiesSent IPReversePathFilter\nTcpExt: 0 ${dropped}\n`,
      },
    ],
  });

test('present: strict, and the way back leaves by another device; the counter rose', () => {
  const given = recordedCase({
    changes: [uneven, strict],
    answers: [['counters', W2, {}, snmp(4)]],
    after: [['counters', W2, {}, snmp(7)]],
    probes,
  });
  const finding = checkWith(rpFilterDrop, given, W2);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...W2, object: 'rp_filter of eth0' });
  expect(presentOf(finding).change?.map((change) => 'key' in change && [change.key, change.value])).toEqual([
    ['net.ipv4.conf.all.rp_filter', '0'],
    ['net.ipv4.conf.eth0.rp_filter', '0'],
  ]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['walk', 'kernel', 'probe']);
  expect(presentOf(finding).evidence[1]!.values).toMatchObject({ rose: 3 });
  expect(statements(finding)).toContain(
    `a packet from ${CLIENT_IP} arrives on eth0, whose effective rp_filter is 1, but the route back to ${CLIENT_IP} leaves by flannel.1`,
  );
  expect(presentOf(finding).fix.commands[0]).toBe(
    'sysctl -w net.ipv4.conf.all.rp_filter=2 net.ipv4.conf.eth0.rp_filter=2    # on w2',
  );
  expect(namedOn(given)).toEqual(['rp-filter-drop']);
});

test('present: loose, and no way back at all: only 0 lets it in', () => {
  const given = recordedCase({
    changes: [
      uneven,
      sysctl(W2, 'net.ipv4.conf.all.rp_filter', '2'),
      removeRoute(W2, '10.244.0.0/24 via 10.244.0.0 dev flannel.1'),
      removeRoute(W2, 'default via 10.79.0.1 dev eth0'),
    ],
    probes,
  });
  const finding = checkWith(rpFilterDrop, given, W2);
  expect(statements(finding)).toContain(`whose effective rp_filter is 2, but there is no route back to ${CLIENT_IP}`);
  expect(presentOf(finding).fix.commands[0]).toContain('all.rp_filter=0');
});

test('absent: strict filters on both nodes, and every answer leaves where the packet came in', () => {
  const given = recordedCase({ changes: [strict, sysctl(W1, 'net.ipv4.conf.all.rp_filter', '1')] });
  expect(checkWith(rpFilterDrop, given, W2).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('near miss: uneven routes that a loose filter lets pass', () => {
  const given = recordedCase({ changes: [uneven, sysctl(W2, 'net.ipv4.conf.all.rp_filter', '2')] });
  expect(checkWith(rpFilterDrop, given, W2).is).toBe('absent');
});

test('near miss: the interface alone is 0 while “all” is 1 drops it all the same; “all” 0 and the interface 0 do not', () => {
  const own = sysctl(W2, 'net.ipv4.conf.eth0.rp_filter', '0');
  expect(checkWith(rpFilterDrop, recordedCase({ changes: [uneven, strict, own] }), W2).is).toBe('present');
  expect(checkWith(rpFilterDrop, recordedCase({ changes: [uneven, own] }), W2).is).toBe('absent');
});

test('near miss: a martian is not the filter’s', () => {
  const martian = step({
    kind: 'sysctl',
    values: { check: 'accept_local', value: '0', device: 'eth0', source: '10.79.0.12' },
  });
  const flows = [flow({ forward: leafTrace('martian', { place: W2, steps: [martian] }) })];
  expect(checkWith(rpFilterDrop, buildCase({ flows }), W2).is).toBe('absent');
});

test('near miss: another node filters', () => {
  expect(checkWith(rpFilterDrop, recordedCase({ changes: [uneven, strict], probes }), W1).is).toBe('absent');
});

test('unknown: the settings of the node were not read', () => {
  expect(checkWith(rpFilterDrop, recordedCase({ without: [[W2, ['sysctls']]], probes }), W2).is).toBe('unknown');
});
