import { expect, test } from 'vitest';
import type { FlowProbe } from '../../diagnose/derived.ts';
import { checkWith, probe } from '../../diagnose/testing/build-case.ts';
import { ECHO } from '../../simulate/testing/build-hook-input.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import {
  type Ask,
  CLIENT_VETH,
  NEAR_WEB_IP,
  namedOn,
  type RecordedInput,
  recordedCase,
  W1,
  W1_IP,
  W2_IP,
  WEB,
} from '../testing/recorded-case.ts';
import { editLink, insertRule } from '../testing/recorded-faults.ts';
import { overlayMtuTooLarge } from './overlay-mtu-too-large.ts';

const POD_MTU = 1450;
const ping = (id: string, lengthBytes: number): Ask => ({ id, l4: ECHO, lengthBytes });
const large = ping('large', POD_MTU);
const small = ping('icmp', 84);
const underlay: Ask = {
  id: 'underlay-large/w2',
  purpose: 'underlay-large',
  from: W1,
  source: W1_IP,
  to: W2_IP,
  l4: ECHO,
  lengthBytes: 1500,
};
const passes = probe('yes', 'answered');
const lost = probe('no', 'silent');
const SIZES = [1440, 1430, 1422, 1410, 1400, 1390, 1370, 1350, 1320, 1280];

/** The network between the nodes carries 1400 bytes and says nothing of what it drops. */
const narrow = (limit: number): RecordedInput => ({
  asks: [{}, small, large, ...SIZES.map((bytes) => ping(`size/${bytes}`, bytes)), underlay],
  probes: {
    main: probe('yes', 'connected'),
    icmp: passes,
    large: probe(
      'no',
      'silent',
      `ping of 10.244.1.3 with 1422 bytes and DF: none of 3 answered, while small ones are answered`,
    ),
    'underlay-large/w2': lost,
    ...Object.fromEntries(SIZES.map((bytes): [string, FlowProbe] => [`size/${bytes}`, bytes <= limit ? passes : lost])),
  },
});

test('present: up to a size all pass, above it none; every device of both nodes would take them', () => {
  const given = recordedCase(narrow(1350));
  const finding = checkWith(overlayMtuTooLarge, given);
  expect(presentOf(finding).claims).toEqual([]);
  expect(presentOf(finding).place).toEqual({ ...W1, object: 'flannel.1 MTU 1450' });
  expect(presentOf(finding).change).toBeUndefined();
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['probe', 'probe', 'state', 'probe']);
  expect(statements(finding)).toContain(
    'packets of up to 1350 bytes pass, those of 1370 do not: in the overlay that is 1400 and 1420 bytes',
  );
  expect(statements(finding)).toContain(
    'flannel.1 of w1 has MTU 1450, so that an outer packet has up to 1500 bytes; every device of both nodes takes it',
  );
  expect(presentOf(finding).fix.summary).toContain('set the CNI’s MTU to 1350 or less');
  expect(namedOn(given)).toEqual(['overlay-mtu-too-large']);
});

test('present: sizes were not searched, but the nodes’ own packets of the outer size are lost as well', () => {
  const { asks: _, ...rest } = narrow(1350);
  const finding = checkWith(overlayMtuTooLarge, recordedCase({ ...rest, asks: [{}, small, large, underlay] }));
  expect(presentOf(finding).evidence.map((one) => one.kind)).not.toContain('size-search');
  expect(presentOf(finding).fix.summary).toContain('set the CNI’s MTU to what it carries');
});

test('absent: packets of the pod’s own MTU get through, however large the NIC’s is', () => {
  const given = recordedCase({
    ...narrow(1450),
    probes: { main: probe('yes', 'connected'), large: passes, 'underlay-large/w2': lost },
  });
  expect(checkWith(overlayMtuTooLarge, given).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('near miss: the pod’s own interface takes less than the bridge (mtu-mismatch-veth): the walk shows it', () => {
  const given = recordedCase({
    ...narrow(1350),
    edits: [editLink(WEB, 'eth0', (link) => ({ ...link, mtu: 1350 }))],
  });
  expect(given.flows.find((flow) => flow.id === 'large')!.dead[0]?.end.end).toBe('packet-too-big');
  expect(checkWith(overlayMtuTooLarge, given)).toMatchObject({
    is: 'absent',
    because: expect.stringContaining('by the walk the large packet ends in packet-too-big'),
  });
  expect(namedOn(given)).not.toContain('overlay-mtu-too-large');
});

test('near miss: a rule drops what is long', () => {
  const given = recordedCase({
    ...narrow(1350),
    changes: [insertRule(W1, '-A FORWARD -m length --length 1351:65535 -j DROP')],
  });
  expect(checkWith(overlayMtuTooLarge, given).is).toBe('absent');
});

test('near miss: both pods are on one node, and no tunnel is on the way', () => {
  const asks = [{}, small, large].map((ask) => ({ ...ask, to: NEAR_WEB_IP }));
  const given = recordedCase({ asks, probes: { ...narrow(1350).probes } });
  expect(checkWith(overlayMtuTooLarge, given)).toMatchObject({
    is: 'absent',
    because: 'the large packet goes through no overlay',
  });
});

test('near miss: a smaller NIC below the tunnel makes fragments, which arrive', () => {
  const given = recordedCase({
    asks: [{}, small, large],
    edits: [editLink(W1, 'eth0', (link) => ({ ...link, mtu: 1400 }))],
    probes: { main: probe('yes', 'connected'), icmp: passes, large: passes },
  });
  expect(checkWith(overlayMtuTooLarge, given).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('near miss: some sizes are lost and larger ones pass: loss by chance', () => {
  const given = recordedCase({ ...narrow(1350), probes: { ...narrow(1350).probes, 'size/1440': passes } });
  expect(checkWith(overlayMtuTooLarge, given).is).toBe('unknown');
  expect(namedOn(given)).not.toContain('overlay-mtu-too-large');
});

test('near miss: a jumbo NIC’s own size is lost between the nodes; the overlay’s is far below', () => {
  const jumbo = { ...underlay, lengthBytes: 9000 };
  const given = recordedCase({
    ...narrow(1350),
    asks: [{}, small, large, jumbo],
    edits: [editLink(W1, 'eth0', (link) => ({ ...link, mtu: 9000 }))],
  });
  expect(checkWith(overlayMtuTooLarge, given).is).toBe('unknown');
});

test('unknown: no large packet was sent; its loss tells nothing; the walk could not go on', () => {
  expect(checkWith(overlayMtuTooLarge, recordedCase()).is).toBe('unknown');
  const told = recordedCase({ asks: [{}, large], probes: { large: probe('unknown', 'too-big') } });
  expect(checkWith(overlayMtuTooLarge, told).is).toBe('unknown');
  const program = JSON.stringify([{ device: CLIENT_VETH, direction: 'ingress', kind: 'bpf', name: 'shaper.o' }]);
  const untold = recordedCase({ ...narrow(1350), edits: [['tc-filters', W1, () => program]] });
  expect(checkWith(overlayMtuTooLarge, untold).is).toBe('unknown');
});
