import { describe, expect, test } from 'vitest';
import { hostOf, podPlace } from '../net/place.ts';
import type { WirePacket } from '../wire/wire-packet.ts';
import { attemptOf } from './attempt.ts';
import { conversationsOf } from './conversations.ts';
import type { Watch } from './follow-packets.ts';
import { packetKey } from './packet-key.ts';
import type { Sighting } from './sighting.ts';
import type { Way } from './watch-plan.ts';

const CLIENT = '10.244.0.4';
const SERVER = '10.244.1.4';
const TUPLE = { protocol: 'tcp', source: CLIENT, destination: SERVER } as const;
const POINTS = ['eth0', 'veth1', 'flannel.1', 'eth9'].map((device) => {
  return { place: hostOf('w1'), device, tuples: [TUPLE] };
});

function wayOf(leg: Way['leg'], points: readonly number[]): Way {
  return {
    leg,
    made: points.length,
    end: 'delivered',
    steps: points.map((point) => ({ point, way: 'in', tuple: TUPLE })),
  };
}

function watchOf(ways: readonly Way[], blind: readonly number[] = []): Watch {
  return { points: POINTS, ways, isWhole: (point) => !blind.includes(point) };
}

const WATCH = watchOf([wayOf('there', [0, 1, 2, 3]), wayOf('back', [3, 2, 1, 0])]);

interface Segment {
  readonly flags?: readonly string[];
  readonly sequence?: number;
  readonly acknowledgement?: number;
  readonly bytes?: number;
  readonly back?: true;
}

function tcp({ flags = ['syn'], sequence = 1000, acknowledgement = 0, bytes = 0, back }: Segment): WirePacket {
  const [source, destination] = back ? [SERVER, CLIENT] : [CLIENT, SERVER];
  const [sourcePort, destinationPort] = back ? [8080, 40000] : [40000, 8080];
  return {
    offset: 14,
    ip: {
      version: 4,
      source,
      destination,
      ttl: 64,
      tos: 0,
      totalLength: 40 + bytes,
      protocol: 6,
      df: true,
      moreFragments: false,
      fragmentOffset: 0,
      checksum: 'good',
    },
    l4: {
      protocol: 'tcp',
      sourcePort,
      destinationPort,
      sequence,
      acknowledgement,
      flags,
      window: 64_000,
      payloadLength: bytes,
      payload: new Uint8Array(0),
      checksum: 'good',
    },
  };
}

/** One packet at several points, a microsecond apart. */
function seen(packet: WirePacket, points: readonly number[], atMs = 0): Sighting[] {
  const key = packetKey(packet)!;
  return points.map((point, index) => ({
    point,
    atNs: BigInt(atMs) * 1_000_000n + BigInt(index) * 1_000n,
    packet,
    key,
  }));
}

function follow(sightings: readonly Sighting[], watch: Watch = WATCH) {
  const inOrder = [...sightings].sort((a, b) => Number(a.atNs - b.atNs));
  const [conversation, ...others] = conversationsOf(inOrder);
  expect(others).toEqual([]);
  return attemptOf(conversation!, watch);
}

const SYN_ACK = { flags: ['syn', 'ack'], sequence: 5000, acknowledgement: 1001, back: true } as const;
const RST = { flags: ['rst', 'ack'], sequence: 0, acknowledgement: 1001, back: true } as const;

describe('what became of an attempt', () => {
  test('answered', () => {
    expect(follow([...seen(tcp({}), [0, 1, 2, 3]), ...seen(tcp(SYN_ACK), [3, 2, 1, 0], 1)]).outcome).toBe('answered');
  });

  test('an answer from elsewhere than was asked, as the asking pod’s own device shows both', () => {
    const inPod = { ...WATCH, points: POINTS.map((point) => ({ ...point, place: podPlace('w1', 'demo', 'client') })) };
    const moved = (packet: WirePacket, ends: Partial<WirePacket['ip']>): WirePacket => ({
      ...packet,
      ip: { ...packet.ip, ...ends },
    });
    const [asked, translated] = [tcp({}), moved(tcp({}), { destination: '10.244.1.99' })];
    const untranslated = moved(tcp(SYN_ACK), { source: '10.244.1.99' });
    const elsewhere = [...seen(asked, [0, 1]), ...seen(translated, [2, 3], 1), ...seen(untranslated, [3, 2, 1, 0], 2)];
    expect(follow(elsewhere, inPod)).toMatchObject({ outcome: 'mismatched', deciding: { leg: 'back' } });
    // On a node's devices one of them may not have been translated yet.
    expect(follow(elsewhere).outcome).toBe('answered');
    expect(follow([...seen(tcp({}), [0, 1, 2, 3]), ...seen(tcp(SYN_ACK), [3, 2, 1, 0], 1)], inPod).outcome).toBe(
      'answered',
    );
  });

  test('lost there: between the last device that saw it and the next one of its way', () => {
    const { outcome, deciding } = follow(seen(tcp({}), [0, 1]));
    expect(outcome).toBe('lost-there');
    expect(deciding!.fate).toMatchObject({ is: 'lost', after: { point: 1 }, before: [{ point: 2 }] });
  });

  test('lost back', () => {
    const { outcome, deciding } = follow([...seen(tcp({}), [0, 1, 2, 3]), ...seen(tcp(SYN_ACK), [3, 2], 1)]);
    expect(outcome).toBe('lost-back');
    expect(deciding!.fate).toMatchObject({ is: 'lost', after: { point: 2 }, before: [{ point: 1 }] });
  });

  test('refused on the way: the reset’s first device tells who made it', () => {
    const { outcome, deciding } = follow([...seen(tcp({}), [0, 1]), ...seen(tcp(RST), [1, 0], 1)]);
    expect(outcome).toBe('refused');
    expect(deciding!.from).toMatchObject({ point: 1 });
  });

  test('arrived, and nothing came of it', () => {
    expect(follow(seen(tcp({}), [0, 1, 2, 3])).outcome).toBe('unanswered');
  });

  test('a device that missed it does not matter where a later one saw it', () => {
    expect(follow(seen(tcp({}), [0, 1, 3])).outcome).toBe('unanswered');
  });

  test('a device that was not watched wholly proves no loss; the next one that was does', () => {
    const blind = watchOf(WATCH.ways, [2]);
    expect(follow(seen(tcp({}), [0, 1]), blind).deciding!.fate).toMatchObject({ is: 'lost', before: [{ point: 3 }] });
    expect(follow(seen(tcp({}), [0, 1]), watchOf(WATCH.ways, [2, 3])).outcome).toBe('unknown');
  });

  test('where ways part behind the last device, each next one is named', () => {
    const parting = watchOf([wayOf('there', [0, 1, 2]), wayOf('there', [0, 1, 3])]);
    const { fate } = follow(seen(tcp({}), [0, 1]), parting).deciding!;
    expect(fate.is === 'lost' && fate.before.map(({ point }) => point)).toEqual([2, 3]);
  });
});

describe('one packet sent several times', () => {
  test('each sending is followed by itself: the one that got through tells', () => {
    const { outcome, packets, retransmissions } = follow([
      ...seen(tcp({}), [0, 1], 0),
      ...seen(tcp({}), [0, 1, 2, 3], 1_000),
      ...seen(tcp(SYN_ACK), [3, 2, 1, 0], 1_001),
    ]);
    expect(outcome).toBe('answered');
    expect(retransmissions).toBe(1);
    const sendings = packets.filter(({ leg }) => leg === 'there');
    expect(sendings.map(({ sending, fate }) => [sending, fate.is])).toEqual([
      [1, 'lost'],
      [2, 'arrived'],
    ]);
  });

  test('a later device that saw only the third takes the third', () => {
    const { packets } = follow([
      ...seen(tcp({}), [0, 1], 0),
      ...seen(tcp({}), [0, 1], 1_000),
      ...seen(tcp({}), [0, 1, 2, 3], 3_000),
    ]);
    expect(packets.map(({ fate }) => fate.is)).toEqual(['lost', 'lost', 'arrived']);
  });

  test('in and out again by one device is one sending', () => {
    const hairpin = watchOf([wayOf('there', [0, 1, 1, 3])]);
    const { packets, retransmissions } = follow(seen(tcp({}), [0, 1, 1]), hairpin);
    expect(retransmissions).toBe(0);
    expect(packets[0]!.fate).toMatchObject({ is: 'lost', after: { point: 1 }, before: [{ point: 3 }] });
    const turnedAway = follow(seen(tcp({}), [0, 1]), hairpin).packets[0]!.fate;
    expect(turnedAway).toMatchObject({ is: 'lost', before: [{ point: 1 }] });
  });
});

describe('data that devices cut and join', () => {
  const data = { flags: ['ack', 'psh'], acknowledgement: 5001 } as const;
  const handshake = [...seen(tcp({}), [0, 1, 2, 3]), ...seen(tcp(SYN_ACK), [3, 2, 1, 0], 1)];

  test('one large segment, seen as two behind the device that cut it, was not lost', () => {
    const { packets } = follow([
      ...handshake,
      ...seen(tcp({ ...data, sequence: 1001, bytes: 2000 }), [0, 1], 2),
      ...seen(tcp({ ...data, sequence: 1001, bytes: 1200 }), [2, 3], 3),
      ...seen(tcp({ ...data, sequence: 2201, bytes: 800 }), [2, 3], 4),
    ]);
    expect(packets.filter(({ fate }) => fate.is === 'lost')).toEqual([]);
  });

  test('with one of the two missing, it was', () => {
    const { packets } = follow([
      ...handshake,
      ...seen(tcp({ ...data, sequence: 1001, bytes: 2000 }), [0, 1], 2),
      ...seen(tcp({ ...data, sequence: 1001, bytes: 1200 }), [2, 3], 3),
    ]);
    expect(packets.filter(({ fate }) => fate.is === 'lost')).toHaveLength(1);
  });

  test('lost every time that it is sent, a connection that was answered has stalled', () => {
    const large = { ...data, sequence: 1001, bytes: 1400 };
    const once = [...handshake, ...seen(tcp(large), [0, 1], 2)];
    // The end of the capture may have cut it off.
    expect(follow(once).outcome).toBe('answered');
    const { outcome, deciding } = follow([...once, ...seen(tcp(large), [0, 1], 300)]);
    expect(outcome).toBe('stalled');
    expect(deciding!.fate).toMatchObject({ is: 'lost', after: { point: 1 }, before: [{ point: 2 }] });
    expect(follow([...once, ...seen(tcp(large), [0, 1, 2, 3], 300)]).outcome).toBe('answered');
  });

  test('sequence numbers go round', () => {
    const { packets } = follow([
      ...seen(tcp({ sequence: 0xffff_fff0 }), [0, 1, 2, 3]),
      ...seen(tcp({ ...SYN_ACK, acknowledgement: 0xffff_fff1 }), [3, 2, 1, 0], 1),
      ...seen(tcp({ ...data, sequence: 0xffff_fff1, bytes: 100 }), [0, 1], 2),
      ...seen(tcp({ ...data, sequence: 0xffff_fff1, bytes: 15 }), [2, 3], 3),
      ...seen(tcp({ ...data, sequence: 0, bytes: 85 }), [2, 3], 4),
    ]);
    expect(packets.filter(({ fate }) => fate.is === 'lost')).toEqual([]);
  });
});
