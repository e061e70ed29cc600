import { describe, expect, test } from 'vitest';
import { parseHostsFile } from './hosts-file.ts';
import { expectEveryTruncationParses, expectFuzzParses, expectWrongTypesParse } from './testing/parser-properties.ts';

const reply = (text: string) => JSON.stringify({ files: [{ path: '/etc/hosts', text }] });
/** A pod's, kubelet 1.34. */
const POD = reply(
  '# Kubernetes-managed hosts file.\n127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\nfe00::0\tip6-localnet\n' +
    '10.244.0.2\tcoredns-7b7b7cdf48-f6zt7\n\n# Entries added by HostAliases.\n10.1.2.3\tapi.internal\tapi\n',
);

describe('parseHostsFile', () => {
  test('addresses with their names', () => {
    const { value, unparsed } = parseHostsFile(POD);
    expect(unparsed).toEqual([]);
    expect(value.at(-1)).toEqual({ address: '10.1.2.3', names: ['api.internal', 'api'] });
    expect(value[2]).toEqual({ address: 'fe00::', names: ['ip6-localnet'] });
    expect(value).toHaveLength(5);
  });

  test('a comment behind an entry, a zone', () => {
    expect(parseHostsFile(reply('10.0.0.1 a # b c\nfe80::1%lo0 local\n')).value).toEqual([
      { address: '10.0.0.1', names: ['a'] },
      { address: 'fe80::1', names: ['local'] },
    ]);
  });

  test('an address without a name, and a name without an address, are unparsed', () => {
    expect(parseHostsFile(reply('10.0.0.1\nexample.org a\n')).unparsed).toHaveLength(2);
  });

  test('never throws', () => {
    expectEveryTruncationParses(POD, parseHostsFile);
    expectFuzzParses([POD], parseHostsFile);
    expectWrongTypesParse(POD, parseHostsFile);
  });
});
