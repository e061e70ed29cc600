import { expect, test } from 'vitest';
import { packet } from '../diagnose/testing/build-case.ts';
import { flowText, packetText } from './packet-text.ts';

const syn = packet({ port: 80 });

test.each([
  [syn, 'tcp 10.244.1.5:* → 10.244.2.7:80 SYN'],
  [packet({ l4: { protocol: 'udp', sourcePort: 4000, destinationPort: 53 } }), 'udp 10.244.1.5:4000 → 10.244.2.7:53'],
  [packet({ l4: { protocol: 'icmp', type: 8, code: 0 } }), 'icmp 8/0 10.244.1.5 → 10.244.2.7'],
  [packet({ l4: { protocol: 4 } }), 'ipip 10.244.1.5 → 10.244.2.7'],
  [packet({ l4: { protocol: 103 } }), 'protocol 103 10.244.1.5 → 10.244.2.7'],
  [packet({ source: 'fd00::1', destination: 'fd00::2', port: 80 }), 'tcp [fd00::1]:* → [fd00::2]:80 SYN'],
])('%#: %o', (given, text) => expect(flowText(given)).toBe(text));

test('a packet with its fields, and what changed since it entered the hop before', () => {
  expect(packetText(syn)).toBe('tcp 10.244.1.5:* → 10.244.2.7:80 SYN, ttl 64, mss 1410, 60 bytes, DF');
  const later = { ...syn, ip: { ...syn.ip, ttl: 63, tos: 0x10, df: false } };
  expect(packetText(later, syn)).toBe(
    'tcp 10.244.1.5:* → 10.244.2.7:80 SYN, ttl 64 → 63, mss 1410, tos 0x10, 60 bytes',
  );
});

test('an outer packet tells its tunnel and what it carries, and is not compared with that', () => {
  const outer = {
    ...packet({ l4: { protocol: 'udp', sourcePort: 'ephemeral', destinationPort: 8472 }, lengthBytes: 110, df: false }),
    inner: syn,
    tunnel: { kind: 'vxlan', vni: 1 },
  } as const;
  const text =
    'udp 10.244.1.5:* → 10.244.2.7:8472, ttl 64, 110 bytes, vxlan 1, around tcp 10.244.1.5:* → 10.244.2.7:80 SYN';
  expect(packetText(outer)).toBe(text);
  expect(packetText(outer, { ...syn, ip: { ...syn.ip, ttl: 3 } })).toBe(text);
});

test('a packet that travels in fragments says so', () => {
  const whole = packet({ l4: { protocol: 'icmp', type: 8, code: 0 }, lengthBytes: 3000, df: false });
  expect(packetText({ ...whole, fragmentBytes: 1500 }, whole)).toBe(
    'icmp 8/0 10.244.1.5 → 10.244.2.7, ttl 64, 3000 bytes, fragments of 1500',
  );
});
