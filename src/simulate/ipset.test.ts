import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { L4 } from '../net/packet.ts';
import { type Ipset, parseIpset } from '../parse/ipset.ts';
import type { HookInput } from './hook.ts';
import { type IpsetDirection, ipsetContains } from './ipset.ts';
import { type FixturePacket, inputOf, snapshotOf, syn } from './testing/nftables-fixture.ts';

/** `ipset save` of ipset 7.17; what each set holds is in the file. */
const SAVED = parseIpset(readFileSync(new URL('fixtures-nft/ipset-save-7.17.txt', import.meta.url), 'utf8'));

/** Types that the recording kernel did not have, in the same syntax. */
const WRITTEN = parseIpset(`create netnet hash:net,net family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x1
add netnet 10.0.0.0/24,10.1.0.0/16
add netnet 10.0.0.0/24,10.1.9.0/24 nomatch
create netportnet hash:net,port,net family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x1
add netportnet 10.0.0.0/24,tcp:80,10.1.0.0/24
create ipmark hash:ip,mark family inet markmask 0x000000ff hashsize 1024 maxelem 65536 bucketsize 12 initval 0x1
add ipmark 10.0.0.1,0x000000ff
create macs hash:mac hashsize 1024 maxelem 65536 bucketsize 12 initval 0x1
add macs 02:00:00:00:00:01
create ipmac hash:ip,mac family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x1
add ipmac 10.0.0.1,02:00:00:00:00:01
create odd hash:ip,port family inet hashsize 1024 maxelem 65536 bucketsize 12 initval 0x1
add odd 10.0.0.1,novelty:80
create future hash:comet family inet
add future 10.0.0.1
`);

const SETS = [...SAVED.value, ...WRITTEN.value];

function setOf(name: string): Ipset {
  const found = SETS.find((set) => set.name === name);
  if (!found) throw new Error(`no set ${name}`);
  return found;
}

function ask(name: string, directions: string, packet: Partial<FixturePacket>, change: Partial<HookInput> = {}) {
  const input = inputOf('forward', snapshotOf([]), { from: '10.0.0.1', to: '10.0.0.2', ...packet });
  const lookup = { dimensions: directions.split(',') as IpsetDirection[], input: { ...input, ...change } };
  return ipsetContains(setOf(name), lookup, (member) => SETS.find((set) => set.name === member));
}

const echo: L4 = { protocol: 'icmp', type: 8, code: 0 };

describe('ipsetContains', () => {
  it('has fixtures that were read whole', () => {
    expect([...SAVED.unparsed, ...WRITTEN.unparsed]).toEqual([]);
  });

  it.each([
    ['ips', 'src', { from: '10.0.0.1' }, 'yes'],
    ['ips', 'dst', { to: '10.0.0.2' }, 'no'],
    ['ipsm', 'src', { from: '10.1.2.200' }, 'yes'],
    ['ipsm', 'src', { from: '10.1.3.3' }, 'no'],
    ['bip', 'src', { from: '10.0.0.5' }, 'yes'],
    ['bip', 'src', { from: '10.0.1.5' }, 'no'],
    ['bipm', 'src', { from: '10.0.5.77' }, 'yes'],
    ['bipm', 'src', { from: '10.0.6.77' }, 'no'],
  ] as const)('%s %s %j is %s (addresses)', (name, directions, packet, expected) => {
    expect(ask(name, directions, packet)).toBe(expected);
  });

  it.each([
    ['10.9.9.9', 'yes'],
    ['10.1.9.9', 'no'],
    ['10.1.2.9', 'yes'],
    ['11.0.0.1', 'no'],
  ] as const)('lets the narrowest network decide: %s is %s', (from, expected) => {
    expect(ask('nets', 'src', { from })).toBe(expected);
  });

  it('keeps the families apart', () => {
    expect(ask('six', 'src', { from: 'fd00::1', to: 'fd00::2' })).toBe('yes');
    expect(ask('six', 'src', { from: 'fe80::1', to: 'fd00::2' })).toBe('no');
    expect(ask('six', 'src', { from: '10.0.0.1' })).toBe('no');
    expect(ask('ips', 'src', { from: 'fd00::1', to: 'fd00::2' })).toBe('no');
  });

  it.each([
    ['ipport', 'src,dst', { l4: syn(80) }, 'yes'],
    ['ipport', 'src,dst', { l4: syn(81) }, 'no'],
    ['ipport', 'src,dst', { l4: { protocol: 'udp', sourcePort: 9, destinationPort: 80 } }, 'no'],
    ['ipport', 'src,dst', { l4: { protocol: 'udp', sourcePort: 9, destinationPort: 53 } }, 'yes'],
    ['ipport', 'src,src', { l4: syn(80, 53) }, 'yes'],
    ['ipport', 'src,dst', { l4: echo }, 'yes'],
    ['ipport', 'src,dst', { l4: { protocol: 'icmp', type: 3, code: 4 } }, 'yes'],
    ['ipport', 'src,dst', { l4: { protocol: 'icmp', type: 3, code: 3 } }, 'no'],
    ['ipport', 'src,dst', { l4: { protocol: 112 } }, 'yes'],
    ['ipport', 'src,dst', { l4: { protocol: 47 } }, 'no'],
    ['ipport', 'src', { l4: syn(80) }, 'no'],
    ['ipportip', 'src,dst,dst', { l4: syn(80) }, 'yes'],
    ['ipportip', 'src,dst,dst', { l4: syn(80), to: '10.0.0.3' }, 'no'],
    ['ipportnet', 'src,dst,dst', { l4: syn(80), to: '10.2.9.9' }, 'yes'],
    ['ipportnet', 'src,dst,dst', { l4: syn(80), to: '10.2.3.9' }, 'no'],
    ['netport', 'src,dst', { l4: syn(81), from: '10.0.0.9' }, 'yes'],
    ['netport', 'src,dst', { l4: syn(80), from: '10.0.0.9' }, 'no'],
    ['netport', 'src,dst', { l4: syn(80), from: '10.0.0.200' }, 'yes'],
    ['netnet', 'src,dst', { to: '10.1.1.1' }, 'yes'],
    ['netnet', 'src,dst', { to: '10.1.9.1' }, 'no'],
    ['netportnet', 'src,dst,dst', { to: '10.1.0.1', l4: syn(80) }, 'yes'],
    ['bport', 'dst', { l4: syn(80) }, 'yes'],
    ['bport', 'dst', { l4: echo }, 'no'],
  ] as const)('%s %s %j is %s (ports)', (name, directions, packet, expected) => {
    expect(ask(name, directions, packet)).toBe(expected);
  });

  it('with --return-nomatch finds the exceptions alone', () => {
    const nomatch = (from: string) => {
      const input = inputOf('forward', snapshotOf([]), { from, to: '10.0.0.2' });
      return ipsetContains(setOf('nets'), { dimensions: ['src'], input, returnsNomatch: true });
    };
    expect(['10.9.9.9', '10.1.9.9', '10.1.2.9', '11.0.0.1'].map(nomatch)).toEqual(['no', 'yes', 'no', 'no']);
  });

  it('finds one of many by its values', () => {
    const lines = Array.from({ length: 5000 }, (_, index) => `add many 10.0.${index >> 8}.${index & 255},tcp:80`);
    const many = parseIpset(['create many hash:ip,port family inet', ...lines].join('\n')).value[0]!;
    const at = (from: string, port: number) =>
      ipsetContains(many, {
        dimensions: ['src', 'dst'],
        input: inputOf('forward', snapshotOf([]), { from, to: '10.9.0.2', l4: syn(port) }),
      });
    expect([at('10.0.7.9', 80), at('10.0.7.9', 81), at('10.9.7.9', 80)]).toEqual(['yes', 'no', 'no']);
  });

  it('leaves a port open that the kernel will choose', () => {
    expect(ask('bport', 'src', { l4: syn(9, 'ephemeral') })).toBe('no');
    expect(ask('ipport', 'src,src', { l4: syn(9, 'ephemeral') })).toBe('no');
    const input = inputOf('forward', snapshotOf([]), { from: '10.0.0.1', to: '10.0.0.2', l4: syn(9, 'ephemeral') });
    const high = (count: number): Ipset => {
      const lines = Array.from({ length: count }, (_, index) => `add h ${40_000 + index}`);
      return parseIpset(['create h bitmap:port range 30000-60000', ...lines].join('\n')).value[0]!;
    };
    expect(ipsetContains(high(1), { dimensions: ['src'], input })).toBe('no');
    expect(ipsetContains(high(2000), { dimensions: ['src'], input })).toBe('unknown');
  });

  it('looks at devices, marks and MAC addresses', () => {
    expect(ask('netiface', 'dst,dst', { to: '192.0.2.1', output: 'eth0' })).toBe('yes');
    expect(ask('netiface', 'dst,dst', { to: '192.0.2.1', output: 'eth1' })).toBe('no');
    expect(ask('netiface', 'src,src', { input: 'cali1234' })).toBe('yes');
    expect(ask('netiface', 'src,dst', { input: 'cali1234' })).toBe('no');
    expect(ask('ipmark', 'src,dst', { meta: { mark: 0x1ff } })).toBe('yes');
    expect(ask('ipmark', 'src,dst', { meta: { mark: 0x1fe } })).toBe('no');
    const macs = { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' };
    expect(ask('macs', 'src', { input: 'eth0', change: { macs } })).toBe('yes');
    expect(ask('macs', 'dst', { input: 'eth0', change: { macs } })).toBe('no');
    expect(ask('macs', 'src', { input: 'eth0' })).toBe('unknown');
    expect(ask('macs', 'src', { input: 'lo' })).toBe('no');
    expect(ask('macs', 'src', {}, { socket: {} })).toBe('no');
    expect(ask('ipmac', 'src,src', { input: 'eth0', change: { macs } })).toBe('yes');
    expect(ask('bipmac', 'src,src', { from: '10.0.0.6', input: 'eth0', change: { macs } })).toBe('yes');
    expect(
      ask('bipmac', 'src,src', {
        from: '10.0.0.5',
        input: 'eth0',
        change: { macs: { ...macs, source: macs.destination } },
      }),
    ).toBe('no');
  });

  it('asks the members of a list, and does not know those that were not seen', () => {
    expect(ask('all', 'src', { from: '10.0.0.1' })).toBe('yes');
    expect(ask('all', 'src', { from: 'fd00::1', to: 'fd00::2' })).toBe('yes');
    expect(ask('all', 'src', { from: '10.0.0.9' })).toBe('no');
    const input = inputOf('forward', snapshotOf([]), { from: '10.0.0.9', to: '10.0.0.2' });
    expect(ipsetContains(setOf('all'), { dimensions: ['src'], input })).toBe('unknown');
    const some = (name: string): Ipset | undefined => (name === 'ips' ? setOf('ips') : undefined);
    expect(ipsetContains(setOf('all'), { dimensions: ['src'], input }, some)).toBe('unknown');
    const known = inputOf('forward', snapshotOf([]), { from: '10.0.0.1', to: '10.0.0.2' });
    expect(ipsetContains(setOf('all'), { dimensions: ['src'], input: known }, some)).toBe('yes');
  });

  it('does not know what it does not understand, and never takes it for a no', () => {
    expect(ask('odd', 'src,dst', { l4: syn(80) })).toBe('unknown');
    expect(ask('odd', 'src,dst', { from: '10.0.0.7', l4: syn(80) })).toBe('no');
    expect(ask('future', 'src', {})).toBe('unknown');
    // An entry for a bridge port is met by no rule of iptables.
    expect(ask('netiface', 'src,src', { input: 'br0' })).toBe('no');
  });
});
