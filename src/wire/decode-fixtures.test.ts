import { describe, expect, it } from 'vitest';
import { decodeFrame } from './decode-frame.ts';
import { decodeFixture, fixtureNames, readFixture } from './testing/read-fixture.ts';
import type { DecodedFrame, WireIcmp, WirePacket, WireTcp, WireUdp } from './wire-packet.ts';

/* Expected values are those that tcpdump printed when the files were made. */

const packets = (name: string): WirePacket[] => decodeFixture(name).flatMap(({ packet }) => (packet ? [packet] : []));
const innermost = (name: string): WirePacket[] => decodeFixture(name).flatMap((frame) => frame.innermost ?? []);
const tcpOf = ({ l4 }: WirePacket): WireTcp[] => (l4?.protocol === 'tcp' ? [l4] : []);
const udpOf = ({ l4 }: WirePacket): WireUdp[] => (l4?.protocol === 'udp' ? [l4] : []);
const icmpOf = ({ l4 }: WirePacket): WireIcmp[] => (l4?.protocol === 'icmp' || l4?.protocol === 'icmpv6' ? [l4] : []);
const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString();

describe('captured frames', () => {
  it.each(fixtureNames())('%s: all is understood and nothing is malformed', (name) => {
    const frames = decodeFixture(name);
    expect(frames.length).toBeGreaterThan(0);
    for (const frame of frames) {
      expect(frame.malformed).toBeUndefined();
      expect(frame.packet ?? frame.arp).toBeDefined();
    }
  });

  it('ARP', () => {
    const arps = decodeFixture('arp-tcp-partial').flatMap(({ arp }) => arp ?? []);
    expect(arps.slice(0, 2)).toEqual([
      {
        operation: 1,
        senderMac: '02:00:00:77:02:01',
        senderAddress: '10.77.2.1',
        targetMac: '00:00:00:00:00:00',
        targetAddress: '10.77.2.2',
      },
      {
        operation: 2,
        senderMac: '02:00:00:77:02:02',
        senderAddress: '10.77.2.2',
        targetMac: '02:00:00:77:02:01',
        targetAddress: '10.77.2.1',
      },
    ]);
  });

  it('a TCP connection whose checksums are left to the device', () => {
    const [syn, synAck, ack, data] = packets('arp-tcp-partial').flatMap(tcpOf);
    expect(syn).toMatchObject({ flags: ['syn'], mss: 1460, windowScale: 10, window: 64240, sackPermitted: true });
    expect(synAck).toMatchObject({ flags: ['syn', 'ack'], mss: 1460, acknowledgement: syn!.sequence + 1 });
    expect(ack).toMatchObject({ flags: ['ack'], sequence: syn!.sequence + 1, payloadLength: 0 });
    expect(data).toMatchObject({ flags: ['psh', 'ack'], payloadLength: 700 });
    expect(text(data!.payload)).toBe('podtriage '.repeat(70));
    expect(
      packets('arp-tcp-partial')
        .flatMap(tcpOf)
        .map((tcp) => tcp.checksum),
    ).toEqual(Array(10).fill('partial'));
  });

  it('the same with checksums by the sender, who is the client', () => {
    const file = readFixture('tcp-good-nano');
    expect(file.frames.some((frame) => frame.timestampNs % 1000n !== 0n)).toBe(true);
    for (const packet of packets('tcp-good-nano')) {
      expect(tcpOf(packet)[0]!.checksum).toBe(packet.ip.source === '10.77.1.2' ? 'good' : 'partial');
    }
  });

  it('segments that GRO merged', () => {
    const data = packets('tcp-gro')
      .flatMap(tcpOf)
      .filter((tcp) => tcp.payloadLength > 1460);
    expect(data.map((tcp) => tcp.payloadLength)).toEqual([7240, 7240, 5520]);
    expect(data.map((tcp) => [tcp.checksum, tcp.payload.length])).toEqual(Array(3).fill(['partial', 62]));
  });

  it('BIG TCP, whose length field says 0', () => {
    const big = packets('tcp-big').filter((packet) => packet.ip.totalLength > 65_535);
    expect(big.map((packet) => packet.ip.version)).toEqual([...Array(5).fill(4), ...Array(9).fill(6)]);
    expect(big[0]).toMatchObject({ ip: { totalLength: 108_652 }, l4: { payloadLength: 108_600, checksum: 'partial' } });
    expect(big[5]).toMatchObject({ ip: { totalLength: 114_320, protocol: 6 }, l4: { payloadLength: 114_240 } });
  });

  it('fragments', () => {
    const fragments = packets('ipv6-fragments').filter(({ ip }) => ip.moreFragments || ip.fragmentOffset > 0);
    expect(fragments.map(({ ip }) => [ip.version, ip.fragmentOffset, ip.moreFragments])).toEqual([
      [6, 0, true],
      [6, 1448, true],
      [6, 2896, false],
      [4, 0, true],
      [4, 1480, true],
      [4, 2960, false],
    ]);
    expect(new Set(fragments.slice(0, 3).map(({ ip }) => ip.id)).size).toBe(1);
    expect(fragments.map(({ l4 }) => l4?.protocol)).toEqual(['udp', undefined, undefined, 'udp', undefined, undefined]);
    expect(fragments[0]!.l4).toMatchObject({
      sourcePort: 40077,
      destinationPort: 8077,
      length: 3008,
      checksum: 'unknown',
    });
  });

  it('ICMP errors and what they are about', () => {
    const errors = packets('icmp-errors').flatMap((packet) => icmpOf(packet).filter((icmp) => icmp.about));
    expect(errors.map(({ type, code, mtu }) => [type, code, mtu])).toEqual([
      [3, 3, undefined],
      [1, 4, undefined],
      [11, 0, undefined],
      [3, 0, undefined],
      [3, 4, 1300],
      [2, 0, 1300],
    ]);
    expect(errors.map((icmp) => icmp.checksum)).toEqual(Array(6).fill('good'));
    expect(errors[0]!.about).toMatchObject({
      offset: 42,
      ip: { source: '10.77.1.2', destination: '10.77.2.2', ttl: 63, protocol: 17 },
      l4: { protocol: 'udp', sourcePort: 40077, destinationPort: 9, length: 12 },
    });
    expect(errors[4]!.about).toMatchObject({
      ip: { totalLength: 1428, df: true },
      l4: { type: 8, checksum: 'unknown' },
    });
    expect(errors[5]!.about).toMatchObject({
      ip: { source: 'fd77:1::2', totalLength: 1448 },
      l4: { type: 128, sequence: 1 },
    });
  });

  it('echo and its answer have one identifier', () => {
    const [request, reply] = packets('icmp-errors').flatMap(icmpOf);
    expect(request).toMatchObject({ type: 8, sequence: 1, checksum: 'good' });
    expect(reply).toMatchObject({ type: 0, id: request!.id, sequence: 1, checksum: 'good' });
    expect(request!.payload).toHaveLength(32);
  });
});

describe('captured tunnels', () => {
  const isTcp = ({ innermost: packet }: DecodedFrame): boolean => packet?.l4?.protocol === 'tcp';

  it('a TCP connection in VXLAN: outer checksums count on what the device will do', () => {
    const frames = decodeFixture('vxlan-tcp').filter(isTcp);
    expect(frames.length).toBe(10);
    for (const { packet } of frames) {
      expect(packet).toMatchObject({
        tunnel: { kind: 'vxlan', vni: 77 },
        l4: { protocol: 'udp', destinationPort: 4789, checksum: 'good' },
        inner: { offset: 64, ip: { version: 4, df: true }, l4: { protocol: 'tcp', checksum: 'partial' } },
        innerLink: { etherType: 0x0800 },
      });
    }
    const [syn] = innermost('vxlan-tcp').flatMap(tcpOf);
    expect(syn).toMatchObject({ sourcePort: 40077, destinationPort: 8077, flags: ['syn'], mss: 1460 });
    expect(innermost('vxlan-tcp').find((packet) => packet.l4?.protocol === 'tcp')?.ip).toMatchObject({
      source: '10.78.0.1',
      destination: '10.78.0.2',
    });
  });

  it('an outer checksum that was changed on the way is bad', () => {
    const frames = readFixture('vxlan-tcp').frames;
    const decoded = decodeFixture('vxlan-tcp');
    const index = decoded.findIndex(isTcp);
    const bytes = frames[index]!.bytes.slice();
    bytes[14 + 20 + 6]! ^= 0x01;
    expect(decodeFrame({ bytes, originalLength: bytes.length }, 1).packet?.l4).toMatchObject({ checksum: 'bad' });
    expect(decodeFrame({ bytes, originalLength: bytes.length }, 1).innermost?.l4).toMatchObject({
      checksum: 'partial',
    });
  });

  it('ARP within VXLAN', () => {
    const arps = packets('vxlan-tcp').flatMap(({ innerArp }) => innerArp ?? []);
    expect(arps.map((arp) => [arp.operation, arp.senderAddress, arp.targetAddress])).toEqual([
      [1, '10.78.0.1', '10.78.0.2'],
      [2, '10.78.0.2', '10.78.0.1'],
    ]);
  });

  it('an outer packet in fragments: the first shows the inner headers', () => {
    const first = packets('vxlan-gso').filter(({ ip }) => ip.moreFragments);
    expect(first.length).toBe(5);
    for (const packet of first) {
      expect(packet).toMatchObject({
        ip: { totalLength: 1500 },
        l4: { length: 1530, checksum: 'unknown' },
        inner: { ip: { totalLength: 1500 }, l4: { payloadLength: 1448, checksum: 'unknown' } },
      });
    }
  });

  it.each(['vxlan-gso', 'vxlan-gro'])('%s: large segments are partial within and without', (name) => {
    const large = packets(name).filter(({ ip }) => ip.totalLength > 1500);
    expect(large.length).toBeGreaterThan(1);
    for (const packet of large)
      expect([...udpOf(packet), ...tcpOf(packet.inner!)].map((l4) => l4.checksum)).toEqual(['partial', 'partial']);
  });

  it('over IPv6, without outer checksums', () => {
    const [packet] = packets('vxlan-over-ipv6').filter(({ inner }) => inner?.l4?.protocol === 'tcp');
    expect(packet).toMatchObject({
      ip: { version: 6, source: 'fd77:1::2', destination: 'fd77:2::2' },
      l4: { destinationPort: 8472, checksum: 'absent' },
      tunnel: { kind: 'vxlan', vni: 78 },
      inner: { offset: 84, ip: { version: 6, source: 'fd78::1' }, l4: { flags: ['syn'], mss: 1440 } },
    });
  });
});

describe('captured by dumpcap', () => {
  it('has both devices, their filters and counts', () => {
    const file = readFixture('dumpcap.pcapng');
    expect(file).toMatchObject({
      comment: 'echo through r',
      interfaces: [
        { name: 'eth0', filter: 'icmp', linkType: 1, snapLength: 262144, received: 4, dropped: 0 },
        { name: 'eth1', filter: 'icmp and src host 10.77.1.2', received: 2, dropped: 0 },
      ],
    });
    expect(file).not.toHaveProperty('damage');
    expect(file.frames.map((frame) => frame.interface)).toEqual([0, 0, 1, 0, 0, 1]);
    const [before, , behind] = file.frames;
    const onTheWayNs = behind!.timestampNs - before!.timestampNs;
    expect(onTheWayNs > 0n && onTheWayNs < 1_000_000_000n).toBe(true);
    expect(innermost('dumpcap.pcapng').map(({ ip, l4 }) => [ip.ttl, l4 && 'sequence' in l4 && l4.sequence])).toEqual([
      [64, 1],
      [63, 1],
      [63, 1],
      [64, 2],
      [63, 2],
      [63, 2],
    ]);
  });
});

describe('captured on all devices', () => {
  it('SLL tells how a packet came', () => {
    expect(decodeFixture('cooked').map(({ link }) => [link?.packetType, link?.source])).toEqual([
      ['host', '02:00:00:77:01:02'],
      ['outgoing', '02:00:00:77:02:01'],
      ['host', '02:00:00:77:02:02'],
      ['outgoing', '02:00:00:77:01:01'],
    ]);
  });

  it('SLL2 tells the device, too', () => {
    expect(decodeFixture('cooked-2').map(({ link }) => [link?.packetType, link?.deviceIndex])).toEqual([
      ['host', 2],
      ['outgoing', 3],
      ['host', 3],
      ['outgoing', 2],
    ]);
    expect(packets('cooked-2').map(({ ip }) => ip.ttl)).toEqual([64, 63, 64, 63]);
  });
});
