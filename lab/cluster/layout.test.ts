import { describe, expect, test } from 'vitest';
import { addressOf, type BedOptions, layoutOf, networkOf, stateRoot } from './layout.ts';

const options: BedOptions = {
  name: 'lab',
  proxyMode: 'iptables',
  cni: 'flannel-vxlan',
  iptables: 'nft',
  workers: 2,
  images: [],
};

describe('layoutOf', () => {
  test('hosts in the order of starting, the fabric first', () => {
    expect(layoutOf(options).hosts).toEqual(['fabric', 'outside', 'cp', 'w1', 'w2']);
  });

  test('two beds share neither network nor folder nor device', () => {
    const [one, two] = [layoutOf(options), layoutOf({ ...options, name: 'other' })];
    for (const key of ['net', 'folder', 'shellDevice', 'kubeconfig'] as const) expect(one[key]).not.toBe(two[key]);
  });

  test('a given network wins over the one made from the name', () => {
    expect(layoutOf({ ...options, net: '10.99.1' }).shellAddress).toBe('10.99.1.254');
  });

  test.each(['Lab', 'a-b', 'a'.repeat(13), ''])(
    'the name %j is refused: devices and cgroups are named after it',
    (name) => {
      expect(() => layoutOf({ ...options, name })).toThrow('name of a bed');
    },
  );

  test.each([0, 9, 1.5 - 2])('%d workers are refused', (workers) => {
    expect(() => layoutOf({ ...options, workers })).toThrow('workers');
  });

  test('a device name fits into the 15 characters that the kernel allows', () => {
    expect(layoutOf({ ...options, name: 'a'.repeat(12) }).shellDevice.length).toBeLessThanOrEqual(15);
  });
});

test('a network made from a name never is the default one', () => {
  for (const name of ['a', 'b', 'test', 'ref', 'nf']) {
    expect(networkOf(name)).toMatch(/^10\.(8[1-9]|9[0-4])\.\d+$/);
    expect(networkOf(name)).toBe(networkOf(name));
  }
});

test('every host has an address of its own', () => {
  const { hosts, net } = layoutOf({ ...options, workers: 8 });
  expect(new Set(hosts.map((host) => addressOf(net, host))).size).toBe(hosts.length);
});

test.each([
  ['/tmp', '/tmp/podtriage-lab'],
  ['/home/me/tmp', '/home/me/tmp/podtriage-lab'],
  ['/variable', '/variable/podtriage-lab'],
  ['/var/tmp', '/tmp/podtriage-lab'],
  ['/run', '/tmp/podtriage-lab'],
])(
  'with temporary files in %s the state is in %s: hosts have their own /var, /run, /etc and /opt',
  (temporary, expected) => {
    expect(stateRoot(temporary)).toBe(expected);
  },
);
