import { describe, expect, test } from 'vitest';
import { parseBridgeVlan } from './bridge-vlan.ts';

/** The form that iproute2 6.x's bridge/vlan.c prints. */
const LIST =
  '[{"ifname":"eth1","vlans":[{"vlan":1,"flags":["PVID","Egress Untagged"]},{"vlan":100,"vlanEnd":200}]},{"ifname":"br0","vlans":[{"vlan":1,"flags":["PVID","Egress Untagged"]}]}]';

describe('parseBridgeVlan', () => {
  test('ranges and flags', () => {
    expect(parseBridgeVlan(LIST)).toEqual({
      value: [
        { device: 'eth1', vlan: 1, vlanTo: 1, pvid: true, untagged: true },
        { device: 'eth1', vlan: 100, vlanTo: 200, pvid: false, untagged: false },
        { device: 'br0', vlan: 1, vlanTo: 1, pvid: true, untagged: true },
      ],
      unparsed: [],
    });
  });

  test('the form of iproute2 4.18, keyed by device', () => {
    const { value, unparsed } = parseBridgeVlan('{"eth1":[{"vlan":7,"flags":["PVID"]}]}');
    expect(value).toEqual([{ device: 'eth1', vlan: 7, vlanTo: 7, pvid: true, untagged: false }]);
    expect(unparsed).toEqual([]);
  });

  test('every truncation loses lines only with a word about it', () => {
    for (let end = 1; end < LIST.length; end++) {
      const { value, unparsed } = parseBridgeVlan(LIST.slice(0, end));
      expect(value.length === 3 || unparsed.length > 0).toBe(true);
    }
  });

  test('an entry without a number is kept as not understood', () => {
    expect(parseBridgeVlan('[{"ifname":"eth1","vlans":[{"vlan":"x"}]}]').unparsed).toHaveLength(1);
  });
});
