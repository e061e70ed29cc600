import { describe, expect, test } from 'vitest';
import { parseFlannelSubnet } from './flannel-subnet.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const REPLY = fixture('flannel-subnet-0.28.json');

describe('parseFlannelSubnet', () => {
  test('flannel 0.28', () => {
    expect(parseFlannelSubnet(REPLY)).toEqual({
      value: {
        FLANNEL_NETWORK: '10.244.0.0/16',
        FLANNEL_SUBNET: '10.244.0.1/24',
        FLANNEL_MTU: '1450',
        FLANNEL_IPMASQ: 'true',
      },
      unparsed: [],
    });
  });

  test('dual stack', () => {
    const text = 'FLANNEL_IPV6_NETWORK=fd00:10:244::/56\nFLANNEL_IPV6_SUBNET=fd00:10:244::1/64\n';
    const reply = JSON.stringify({ files: [{ path: '/run/flannel/subnet.env', text }] });
    expect(parseFlannelSubnet(reply).value).toMatchObject({ FLANNEL_IPV6_SUBNET: 'fd00:10:244::1/64' });
  });

  test('no file is a whole answer; another line is unparsed', () => {
    const absent = JSON.stringify({ files: [{ path: '/run/flannel/subnet.env', error: 'ENOENT' }] });
    expect(parseFlannelSubnet(absent)).toEqual({ value: {}, unparsed: [] });
    const odd = JSON.stringify({ files: [{ path: '/run/flannel/subnet.env', text: 'what\n' }] });
    expect(parseFlannelSubnet(odd).unparsed).toEqual([{ line: 1, text: 'what' }]);
  });

  test('never throws', () => {
    expectEveryTruncationParses(REPLY, parseFlannelSubnet);
    expectFuzzParses([REPLY], parseFlannelSubnet);
    expectWrongTypesParse(REPLY, parseFlannelSubnet);
  });
});
