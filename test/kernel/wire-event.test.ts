import { describe, expect, it } from 'vitest';
import { housekeepingOf, type RawEvent, wireEvent } from './wire-event.ts';

/* Frames as a tap of Linux 6.18 gave them. */
const UDP: RawEvent = [
  'a',
  'v1',
  3,
  0x0800,
  '020000010001020000010102080045000030ffbb4000401125ec0a01010b0a0900014e2001bb001c15437575757575757575757575757575757575757575',
];
const SYN_ACK: RawEvent = [
  'b',
  'v1',
  4,
  0x0800,
  '02000002000102000002010208004500003c00004000400622af0a01020b0a01020100504e225c51b3c78330ac77a012fe88183c0000020405b40402080a7d6c10329c90067f0103030a',
];
const UDP6: RawEvent = [
  'a',
  'eth0',
  0,
  0x86dd,
  '02000009000102000009000286dd628747ef001c1140fd000009000000000000000000000002fd0000090000000000000000000000014e250035001cfa437575757575757575757575757575757575757575',
];

/** Another byte at a place of the frame, in hex. */
function patched([ns, device, kind, protocol, hex]: RawEvent, at: number, bytes: string): RawEvent {
  return [ns, device, kind, protocol, hex.slice(0, at * 2) + bytes + hex.slice(at * 2 + bytes.length)];
}

describe('a frame', () => {
  it('is an event with its ends, kind and TTL', () => {
    expect(wireEvent(UDP)).toMatchObject({
      ns: 'a',
      device: 'v1',
      way: 'in',
      source: '10.1.1.11',
      destination: '10.9.0.1',
      sourcePort: 20000,
      destinationPort: 443,
      what: 'udp',
      ttl: 64,
      lengthBytes: 48,
      other: true,
      fragment: false,
    });
    expect(wireEvent(SYN_ACK)).toMatchObject({ way: 'out', what: 'tcp syn ack', lengthBytes: 60 });
    expect(wireEvent(UDP6)).toMatchObject({
      source: 'fd00:9::2',
      destination: 'fd00:9::1',
      what: 'udp',
      destinationPort: 53,
      lengthBytes: 68,
      tos: 0x28,
    });
  });

  it('that is a fragment has no length of its own, and only the first one counts', () => {
    expect(wireEvent(patched(UDP, 20, '2000'))).toMatchObject({ fragment: true });
    expect(wireEvent(patched(UDP, 20, '2000'))).not.toHaveProperty('lengthBytes');
    expect(wireEvent(patched(UDP, 20, '00b9'))).toBeUndefined();
  });

  it("of the network's own talk is none of ours", () => {
    const igmp = patched(UDP, 23, '02');
    expect(wireEvent(igmp)).toBeUndefined();
    expect(housekeepingOf(igmp)).toBe(4);
    const redirect = patched(patched(UDP, 23, '01'), 34, '05');
    expect(wireEvent(redirect)).toBeUndefined();
    expect(housekeepingOf(redirect)).toBe(4);
    const solicitation = patched(patched(UDP6, 20, '3a'), 54, '87');
    expect(wireEvent(solicitation)).toBeUndefined();
    expect(housekeepingOf(solicitation)).toBe(6);
    expect(housekeepingOf(UDP)).toBeUndefined();
  });
});
