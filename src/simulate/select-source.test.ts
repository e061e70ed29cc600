import { describe, expect, it } from 'vitest';
import { parsePrefix } from '../net/prefix.ts';
import type { Link } from '../parse/ip-link.ts';
import { selectIpv6Source } from './select-source.ts';

function link(name: string, ...addresses: (string | readonly [string, ...string[]])[]): Link {
  return {
    index: 1,
    name,
    flags: ['UP', 'LOWER_UP'],
    mtu: 1500,
    operstate: 'UP',
    type: 'ether',
    addresses: addresses.map((one) => {
      const [text, ...flags] = typeof one === 'string' ? [one] : one;
      return { prefix: parsePrefix(text)!, scope: text.startsWith('fe80') ? 'link' : 'global', flags };
    }),
  };
}

const from = (links: readonly Link[], destination: string, options = {}) =>
  selectIpv6Source(links, links[0]!, destination, options);

describe('selectIpv6Source (RFC 6724)', () => {
  it('keeps to the link for what does not leave it', () => {
    const links = [link('eth0', '2001:db8::1/64', 'fe80::1/64'), link('eth1', 'fe80::2/64')];
    expect(from(links, 'fe80::9')).toBe('fe80::1');
    expect(from([link('eth0', '2001:db8::1/64'), links[1]!], 'fe80::9')).toBe('2001:db8::1');
  });

  it('prefers the scope, then what is not deprecated, then the output device', () => {
    expect(from([link('eth0', 'fe80::1/64'), link('eth1', '2001:db8::1/64')], '2001:db8:9::1')).toBe('2001:db8::1');
    const old = link('eth0', ['2001:db8:9::1/64', 'deprecated'], '2001:db8:5::1/64');
    expect(from([old], '2001:db8:9::2')).toBe('2001:db8:5::1');
    expect(from([link('eth0', '2001:db8:5::1/64'), link('eth1', '2001:db8:9::1/64')], '2001:db8:9::2')).toBe(
      '2001:db8:5::1',
    );
  });

  it('prefers the label, then the longest common prefix', () => {
    const both = link('eth0', 'fd00::1/64', '2001:db8:1::1/64', '2001:db8:9::1/64');
    expect(from([both], 'fd77::1')).toBe('fd00::1');
    expect(from([both], '2001:db8:9::2')).toBe('2001:db8:9::1');
  });

  it('takes no address that is tentative or a duplicate, and temporary ones where they are preferred', () => {
    expect(from([link('eth0', ['2001:db8::1/64', 'tentative'], ['2001:db8::2/64', 'dadfailed'])], '2001:db8::9')).toBe(
      'none',
    );
    const temporary = [link('eth0', '2001:db8::1/64', ['2001:db8::f/64', 'temporary'])];
    expect(from(temporary, '2001:db8:1::9')).toBe('2001:db8::1');
    expect(from(temporary, '2001:db8:1::9', { prefersTemporary: () => true })).toBe('2001:db8::f');
  });
});
