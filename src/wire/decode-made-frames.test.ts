import { describe, expect, it } from 'vitest';
import { crc32c } from './crc32c.ts';
import { decodeFrame } from './decode-frame.ts';
import { hex } from './testing/bytes.ts';
import { MADE_FRAMES } from './testing/made-frames.ts';
import type { DecodedFrame } from './wire-packet.ts';

type Name = keyof typeof MADE_FRAMES;

function decode(name: Name): DecodedFrame {
  const { bytes, linkType } = MADE_FRAMES[name];
  return decodeFrame({ bytes, originalLength: bytes.length }, linkType);
}

const PING = {
  ip: { version: 4, source: '10.78.0.1', destination: '10.78.0.2', protocol: 1, totalLength: 31, checksum: 'good' },
  l4: { protocol: 'icmp', type: 8, code: 0, id: 0x1234, sequence: 5, checksum: 'good' },
};
const PING6 = { ip: { version: 6, source: 'fd78::1', destination: 'fd78::2', protocol: 59, totalLength: 40 } };

describe('link-layer headers', () => {
  it('reads a VLAN tag', () => {
    expect(decode('vlan')).toMatchObject({ link: { vlan: 7, etherType: 0x0800 }, packet: { ...PING, offset: 18 } });
    expect(decode('vlan').link).not.toHaveProperty('innerVlan');
  });

  it('reads a tag within a tag', () => {
    expect(decode('qinq')).toMatchObject({
      link: { source: '02:00:00:77:01:02', destination: '02:00:00:77:01:01', vlan: 8, innerVlan: 9, etherType: 0x0800 },
      packet: { ...PING, offset: 22 },
    });
  });

  it.each(['bareIpv4', 'linkIpv4', 'loopback'] as const)('reads %s', (name) => {
    expect(decode(name)).toMatchObject({ packet: PING });
    expect(decode(name)).not.toHaveProperty('malformed');
    expect(decode(name)).not.toHaveProperty('link');
  });

  it('reads bare IPv6', () => expect(decode('bareIpv6')).toMatchObject({ packet: PING6 }));
});

describe('TCP', () => {
  it('reads the options of a SYN', () => {
    const { l4 } = decode('options').packet!;
    expect(l4).toEqual({
      protocol: 'tcp',
      sourcePort: 40077,
      destinationPort: 8077,
      sequence: 0xfffffffe,
      acknowledgement: 7,
      flags: ['ack'],
      window: 501,
      mss: 1460,
      sackPermitted: true,
      timestamps: { value: 100, echo: 200 },
      windowScale: 7,
      payloadLength: 2,
      payload: hex('6869'),
      checksum: 'good',
    });
  });

  it('reads selective acknowledgements', () => {
    expect(decode('sack').packet?.l4).toMatchObject({
      sacks: [{ left: 1, right: 3 }],
      payloadLength: 0,
      checksum: 'good',
    });
  });

  it('reads all flags, and the type of service', () => {
    expect(decode('ecn').packet).toMatchObject({ ip: { tos: 0xb9 }, l4: { flags: ['syn', 'ece', 'cwr', 'ae'] } });
  });

  it.each([
    ['tcpBad', 'good', 'bad'],
    ['tcpPartial', 'good', 'partial'],
    ['ipBad', 'bad', 'good'],
    ['ipOptions', 'good', 'good'],
  ] as const)('%s: the header is %s, TCP is %s', (name, header, transport) => {
    expect(decode(name).packet).toMatchObject({
      ip: { checksum: header },
      l4: { checksum: transport, payloadLength: 2 },
    });
  });
});

describe('UDP', () => {
  it('may have no checksum', () => {
    expect(decode('udpNoChecksum').packet?.l4).toMatchObject({ length: 10, payload: hex('6869'), checksum: 'absent' });
  });

  it('ends before the padding of the frame', () => {
    expect(decode('udpPadded').packet?.l4).toMatchObject({ payload: hex('6869'), checksum: 'good' });
  });
});

describe('IPv6 extension headers', () => {
  it.each([
    ['extensions', { ip: { protocol: 17, totalLength: 66 }, l4: { checksum: 'good', payload: hex('6869') } }],
    ['authentication', { ip: { protocol: 17 }, l4: { checksum: 'good' } }],
    /* The checksum covers the final destination, not the one of the header. */
    ['routing', { ip: { protocol: 17, destination: 'fd77:3::9' }, l4: { checksum: 'good' } }],
    ['routingSegments', { l4: { checksum: 'good' } }],
    ['routingCompressed', { l4: { checksum: 'unknown', payload: hex('6869') } }],
    [
      'fragmentFirst',
      { ip: { id: 0xabcd, moreFragments: true, fragmentOffset: 0 }, l4: { length: 72, checksum: 'unknown' } },
    ],
    ['fragmentAtomic', { ip: { moreFragments: false, fragmentOffset: 0 }, l4: { length: 72, checksum: 'good' } }],
  ] as const)('%s', (name, expected) => {
    expect(decode(name)).toMatchObject({ packet: expected });
    expect(decode(name)).not.toHaveProperty('malformed');
  });

  it('a later fragment has no transport header', () => {
    const { packet } = decode('fragmentLater');
    expect(packet?.ip).toMatchObject({ protocol: 17, id: 0xabcd, fragmentOffset: 40, moreFragments: false });
    expect(packet).not.toHaveProperty('l4');
  });
});

describe('tunnels', () => {
  it.each([
    ['geneve', { kind: 'geneve', vni: 79 }, PING],
    ['geneve6', { kind: 'geneve', vni: 79 }, PING],
    ['gre', { kind: 'gre', key: 81 }, PING],
    ['greAll', { kind: 'gre', key: 81 }, PING],
    ['greBad', { kind: 'gre' }, PING],
    ['gre6', { kind: 'gre' }, PING6],
    ['gretap', { kind: 'gretap', key: 80 }, PING],
    ['ipip', { kind: 'ipip' }, PING],
    ['sit', { kind: 'sit' }, PING6],
    ['ip6tnl', { kind: 'ip6tnl' }, PING6],
    ['ipip6', { kind: 'ip6tnl' }, PING],
  ] as const)('%s', (name, tunnel, inner) => {
    const { packet, innermost, malformed } = decode(name);
    expect(malformed).toBeUndefined();
    expect(packet).toMatchObject({ tunnel, inner });
    expect(packet?.tunnel).toEqual(tunnel);
    expect(innermost).toBe(packet?.inner);
  });

  it('reads the options of Geneve, and the inner Ethernet header', () => {
    const { packet } = decode('geneve');
    expect(packet?.geneveOptions).toEqual([
      { optionClass: 0x0102, type: 0, critical: true, data: hex('00640065') },
      { optionClass: 0xffff, type: 7, critical: false, data: hex('') },
    ]);
    expect(packet?.innerLink).toMatchObject({ source: '02:00:00:77:01:02', etherType: 0x0800 });
    expect(packet?.l4).toMatchObject({ protocol: 'udp', destinationPort: 6081, checksum: 'good' });
  });

  it.each([
    ['gre', { checksum: 'absent' }],
    ['greAll', { checksum: 'good', sequence: 7 }],
    ['greBad', { checksum: 'bad' }],
  ] as const)("%s: checksum and sequence of GRE's own", (name, gre) => {
    expect(decode(name).packet?.gre).toEqual(gre);
  });

  it.each(['pptp', 'vxlanNotValid'] as const)('%s carries nothing that is a tunnel', (name) => {
    expect(decode(name).packet).not.toHaveProperty('tunnel');
    expect(decode(name)).not.toHaveProperty('malformed');
  });

  it('takes further ports of VXLAN', () => {
    const { bytes } = MADE_FRAMES.vxlanBad;
    const moved = bytes.slice();
    moved.set([0x12, 0x34], 14 + 20 + 2);
    const frame = { bytes: moved, originalLength: moved.length };
    expect(decodeFrame(frame, 1).packet).not.toHaveProperty('tunnel');
    expect(decodeFrame(frame, 1, { vxlanPorts: [0x1234] }).packet).toMatchObject({ tunnel: { vni: 77 }, inner: PING });
  });

  it.each([
    ['wireguardInitiation', { type: 'initiation', sender: 0x44332211 }],
    ['wireguardResponse', { type: 'response', sender: 0x88776655, receiver: 0x44332211 }],
    ['wireguardCookie', { type: 'cookie', receiver: 0x88776655 }],
    ['wireguardData', { type: 'data', receiver: 0x44332211 }],
  ] as const)('%s', (name, wireguard) => {
    expect(decode(name).packet?.wireguard).toEqual(wireguard);
  });
});

describe('an outer checksum over an inner one that is left to the device', () => {
  it.each([
    ['vxlanLocal', 'good', 'partial'],
    ['vxlanBroken', 'bad', 'partial'],
    ['vxlanBrokenData', 'bad', 'partial'],
    ['vxlanBad', 'bad', 'good'],
  ] as const)('%s: outer %s, inner %s', (name, outer, inner) => {
    expect(decode(name).packet).toMatchObject({ l4: { checksum: outer }, inner: { l4: { checksum: inner } } });
  });

  it.each([
    ['vxlanLocal', 'good'],
    ['vxlanBrokenData', 'bad'],
  ] as const)('%s is %s though its data were cut off', (name, outer) => {
    const { bytes } = MADE_FRAMES[name];
    const cut = { bytes: bytes.subarray(0, 14 + 20 + 16 + 14 + 20 + 20), originalLength: bytes.length };
    expect(decodeFrame(cut, 1).packet?.l4).toMatchObject({ checksum: outer });
  });
});

describe('SCTP', () => {
  it.each([
    ['sctp', 'good'],
    ['sctpBad', 'bad'],
    ['sctpPartial', 'partial'],
  ] as const)('%s is %s', (name, checksum) => {
    expect(decode(name).packet?.l4).toMatchObject({
      protocol: 'sctp',
      sourcePort: 40077,
      destinationPort: 8077,
      verificationTag: 0xcafe,
      chunks: [1, 11],
      checksum,
    });
  });

  it('leaves the frame as it is', () => {
    const bytes = Buffer.from(MADE_FRAMES.sctp.bytes);
    decodeFrame({ bytes, originalLength: bytes.length }, 1);
    expect(bytes).toEqual(Buffer.from(MADE_FRAMES.sctp.bytes));
  });

  it("computes CRC32c as RFC 3720's appendix does", () => {
    expect(crc32c(Buffer.from('123456789'))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });
});
