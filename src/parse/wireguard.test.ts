import { describe, expect, test } from 'vitest';
import { parseWireguard, withoutWireguardKeys } from './wireguard.ts';

/** The form that wireguard-tools' show.c prints, with keys that were made up. */
const DUMP = [
  'wg0\tyAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk=\tHIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=\t51820\t0x4000',
  'wg0\txTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\tFpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE=\t192.0.2.2:51820\t10.1.2.0/24,fd00:1:2::/64\t1700000000\t92\t148\toff',
  'wg0\tTrMvSoP4jYQlY6RIzBgbssQqY3vxI2Pi+y71lOWWXX0=\t(none)\t[2001:db8::1]:51821\t(none)\t0\t0\t0\t25',
].join('\n');

describe('parseWireguard', () => {
  test('devices with their peers, without any secret', () => {
    const { value, unparsed } = parseWireguard(`${DUMP}\n`);
    expect(unparsed).toEqual([]);
    expect(value).toMatchObject([
      {
        device: 'wg0',
        publicKey: 'HIgo9xNzJMWLKASShiTqIybxZ0U3wGLiUeJ1PKf8ykw=',
        port: 51820,
        mark: 0x4000,
        peers: [
          {
            endpoint: { address: '192.0.2.2', port: 51820 },
            allowed: [
              { address: '10.1.2.0', length: 24 },
              { address: 'fd00:1:2::', length: 64 },
            ],
            handshakeAt: 1_700_000_000,
          },
          { endpoint: { address: '2001:db8::1', port: 51821 }, allowed: [], handshakeAt: 0 },
        ],
      },
    ]);
    expect(JSON.stringify(value)).not.toMatch(/yAnz5TF|FpCyhws9/);
  });

  test('a line of another form is kept as not understood', () => {
    expect(parseWireguard('wg0\tsomething').unparsed).toHaveLength(1);
    expect(parseWireguard(DUMP.replace('192.0.2.2:51820', 'nowhere')).unparsed).toHaveLength(1);
  });
});

describe('withoutWireguardKeys', () => {
  test('masks private and preshared keys, and reads as before', () => {
    const clean = withoutWireguardKeys(DUMP, '[redacted]');
    expect(clean).not.toMatch(/yAnz5TF|FpCyhws9/);
    expect(clean).toContain('(none)');
    expect(parseWireguard(clean)).toEqual(parseWireguard(DUMP));
    expect(withoutWireguardKeys(clean, '[redacted]')).toBe(clean);
  });

  test('at every truncation no key is left', () => {
    for (let end = 0; end < DUMP.length; end++) {
      const clean = withoutWireguardKeys(DUMP.slice(0, end), '[redacted]');
      expect(clean).not.toMatch(/yAnz5|FpCyh/);
    }
  });
});
