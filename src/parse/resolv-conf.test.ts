import { describe, expect, test } from 'vitest';
import { parseResolvConf } from './resolv-conf.ts';
import { expectEveryTruncationParses, expectFuzzParses, expectWrongTypesParse } from './testing/parser-properties.ts';

const reply = (text: string) => JSON.stringify({ files: [{ path: '/etc/resolv.conf', text }] });
const POD = reply(
  'search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 10.96.0.10\noptions ndots:5\n',
);

describe('parseResolvConf', () => {
  test("a pod's, as kubelet writes it", () => {
    expect(parseResolvConf(POD)).toEqual({
      value: {
        nameservers: ['10.96.0.10'],
        search: ['shop.svc.cluster.local', 'svc.cluster.local', 'cluster.local'],
        options: { ndots: '5' },
      },
      unparsed: [],
    });
  });

  test("a host's: comments, several servers, the last search counts, flags", () => {
    const text =
      '# made by systemd-resolved\n; old\nnameserver 127.0.0.53\nnameserver fe80::1%eth0\n\tnameserver\t2001:DB8::1\n' +
      'domain one.example\nsearch two.example three.example\noptions edns0 trust-ad timeout:2\n';
    expect(parseResolvConf(reply(text))).toEqual({
      value: {
        nameservers: ['127.0.0.53', 'fe80::1', '2001:db8::1'],
        search: ['two.example', 'three.example'],
        options: { edns0: '', 'trust-ad': '', timeout: '2' },
      },
      unparsed: [],
    });
  });

  test('what glibc does not know is unparsed', () => {
    expect(parseResolvConf(reply('nameserver [10.0.0.1]:5353\nnameserver\nsortlist 10.0.0.0\n')).unparsed).toEqual([
      { line: 1, text: 'nameserver [10.0.0.1]:5353' },
      { line: 2, text: 'nameserver' },
      { line: 3, text: 'sortlist 10.0.0.0' },
    ]);
  });

  test('never throws', () => {
    expectEveryTruncationParses(POD, parseResolvConf);
    expectFuzzParses([POD], parseResolvConf);
    expectWrongTypesParse(POD, parseResolvConf);
  });
});
