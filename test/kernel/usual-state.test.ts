import { describe, expect, it } from 'vitest';
import type { CaseItem, KernelCase } from './case.ts';
import { usualState } from './usual-state.ts';

type WithoutFrame<T> = T extends unknown ? Omit<T, 'ns' | 'feature'> : never;

function usual(own: WithoutFrame<CaseItem>, before: readonly string[] = []): unknown {
  const item = { ns: 'a', feature: 'x', ...own } as CaseItem;
  const earlier = before.map((line): CaseItem => ({ kind: 'ip', ns: 'a', feature: '', line }));
  const one: KernelCase = {
    story: '',
    namespaces: [{ name: 'a', node: 'a', pod: false, addresses: [] }],
    items: [...earlier, item],
    packets: [],
    settleMs: 0,
  };
  return usualState(one, item)?.map(({ place: _place, ...change }) => change);
}

describe('the usual state', () => {
  it('of a setting is what every namespace gets', () => {
    const key = 'net.ipv4.conf.eth0.rp_filter';
    expect(usual({ kind: 'sysctl', key, value: '1' })).toMatchObject([{ op: 'sysctl', key, value: '0' }]);
  });

  it('of a port and of a device is what the kernel gives', () => {
    expect(usual({ kind: 'ip', line: 'link set dev v1 type bridge_slave flood off' })).toMatchObject([
      { where: { ifname: 'v1' }, set: { 'linkinfo.info_slave_data.flood': true } },
    ]);
    expect(usual({ kind: 'ip', line: 'link set dev v1 type bridge_slave hairpin on' })).toMatchObject([
      { set: { 'linkinfo.info_slave_data.hairpin': false } },
    ]);
    expect(usual({ kind: 'ip', line: 'link set dev v1 mtu 1300' })).toMatchObject([{ set: { mtu: 1500 } }]);
  });

  it('of what took the place of something is that again', () => {
    const line = 'route replace blackhole 10.1.1.11/32';
    expect(usual({ kind: 'ip', line }, ['route add 10.1.1.11/32 dev v1'])).toMatchObject([
      { act: 'remove', line: 'blackhole 10.1.1.11/32' },
      { act: 'add', line: '10.1.1.11/32 dev v1' },
    ]);
    expect(usual({ kind: 'ip', line }, ['route add 10.1.1.12/32 dev v1'])).toMatchObject([{ act: 'remove' }]);
  });

  it('of a link that is made is not known', () => {
    expect(usual({ kind: 'link', line: 'link add vx0 type vxlan id 5' })).toBeUndefined();
  });
});
