import { describe, expect, test } from 'vitest';
import { parseIpRule } from './ip-rule.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const MIXED = fixture('ip-rule4-6.1-mixed.json');

function rule(priority: number) {
  return parseIpRule(MIXED, 4).value.find((one) => one.priority === priority);
}

describe('parseIpRule', () => {
  test('the three rules that every namespace has', () => {
    expect(rule(0)).toMatchObject({ action: { kind: 'lookup', table: 255 }, not: false, undecidable: [] });
    expect(rule(32766)?.text).toBe('32766: from all lookup main');
    expect(rule(32767)?.action).toEqual({ kind: 'lookup', table: 253 });
    expect(parseIpRule(MIXED, 4).unparsed).toEqual([]);
  });

  test('marks with and without a mask, and a negated one', () => {
    expect(rule(100)).toMatchObject({ mark: { value: 0x100, mask: 0xff00 }, action: { kind: 'lookup', table: 100 } });
    expect(rule(100)?.text).toBe('100: from all fwmark 0x100/0xff00 lookup 100');
    expect(rule(111)?.mark).toEqual({ value: 7, mask: 0xffff_ffff });
    expect(rule(102)).toMatchObject({ not: true, mark: { value: 0x51820 } });
    expect(rule(102)?.text).toBe('102: not from all fwmark 0x51820 lookup 51820');
  });

  test('prefixes, devices, ports, TOS and suppressors', () => {
    expect(rule(101)).toMatchObject({
      source: { address: '10.1.0.0', length: 24 },
      destination: { address: '10.2.0.0', length: 16 },
    });
    expect(rule(103)).toMatchObject({ input: 'v0', suppressPrefixLength: 0 });
    expect(rule(104)).toMatchObject({ output: 'v1', action: { kind: 'blackhole' } });
    expect(rule(105)).toMatchObject({
      protocol: 'tcp',
      sourcePorts: { from: 1000, to: 2000 },
      destinationPorts: { from: 53, to: 53 },
      action: { kind: 'prohibit' },
    });
    expect(rule(108)).toMatchObject({ tos: 16, action: { kind: 'unreachable' } });
    expect(rule(113)?.suppressGroup).toBe('0');
  });

  test('goto and nop', () => {
    expect(rule(107)?.action).toEqual({ kind: 'goto', priority: 32766 });
    expect(rule(112)?.action).toEqual({ kind: 'goto', priority: 32900 });
    expect(rule(114)?.action).toEqual({ kind: 'nop' });
  });

  test('users, tunnels, VRFs, and a device that is gone', () => {
    expect(rule(106)?.users).toBeDefined();
    expect(rule(106)?.text).toContain('uidrange');
    expect(rule(109)).toMatchObject({ l3mdev: true, action: { kind: 'lookup', table: 0 }, undecidable: [] });
    expect(rule(110)?.tunnelId).toBeDefined();
    const gone = '[{"priority":15,"src":"all","iif":"gone","iif_detached":null,"table":"7","protocol":"0"}]';
    expect(parseIpRule(gone, 4).value[0]).toMatchObject({ input: 'gone', detached: true });
  });

  test('route NAT is no more: the kernel takes its action for a black hole', () => {
    const nat = '[{"priority":18,"src":"all","table":"8","masquerade":null,"protocol":"0"}]';
    expect(parseIpRule(nat, 4).value[0]).toMatchObject({ action: { kind: 'blackhole' }, undecidable: [] });
  });

  test('a selector that is not modelled makes the rule undecidable by its name', () => {
    expect(parseIpRule('[{"priority":5,"src":"all","dscp":"CS1","table":"main"}]', 4).value[0]?.undecidable).toEqual([
      'dscp',
    ]);
    expect(
      parseIpRule('[{"priority":5,"src":"all","tos":"lowdelay","table":"main"}]', 4).value[0]?.undecidable,
    ).toEqual(['tos']);
  });

  test('names and numbers give the same rules', () => {
    const names = parseIpRule(fixture('ip-rule4-6.1-mixed-names.json'), 4);
    const strip = ({ suppressGroup, text, ...rest }: { suppressGroup?: string; text: string }) => rest;
    expect(names.value.map(strip)).toEqual(parseIpRule(MIXED, 4).value.map(strip));
  });

  test('iproute2 4.17 and IPv6', () => {
    const old = '[{"priority":0,"src":"all","table":"local"},{"priority":512,"src":"10.0.0.1","table":"42"}]';
    expect(parseIpRule(old, 4).value[1]?.source).toEqual({ address: '10.0.0.1', length: 32 });
    expect(parseIpRule(fixture('ip-rule6-6.1-mixed.json'), 6).value[1]).toMatchObject({
      source: { address: 'fd00:9::', length: 64 },
    });
  });

  test('a table that only the machine can name, or a malformed selector, is unparsed', () => {
    const text =
      '[{"priority":1,"src":"all","table":"vpn"},{"priority":2,"src":"all","fwmark":"x","table":"main"},' +
      '{"priority":3,"src":"nowhere","table":"main"},{"priority":4,"src":"all","table":"main"}]';
    const parsed = parseIpRule(text, 4);
    expect(parsed.value.map((one) => one.priority)).toEqual([4]);
    expect(parsed.unparsed).toHaveLength(3);
  });

  test('never throws', () => {
    const parse = (text: string) => parseIpRule(text, 4);
    expectEveryTruncationParses(MIXED, parse);
    expectFuzzParses([MIXED], parse);
    expectWrongTypesParse(MIXED, parse);
  });
});
