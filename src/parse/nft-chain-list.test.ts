import { describe, expect, it } from 'vitest';
import { parseNftChainList } from './nft-chain-list.ts';
import { expectEveryTruncationParses, expectFuzzParses } from './testing/parser-properties.ts';

/** `nft -a list chains` of nft 1.0.6. */
const LISTED = `table ip nat {
	chain PREROUTING { # handle 1
		type nat hook prerouting priority dstnat; policy accept;
	}
	chain KUBE-SERVICES { # handle 11
	}
}
table inet zz {
	chain c { # handle 1
		comment "a b"
		type filter hook ingress device "lo" priority filter + 5; policy drop;
	}
	chain e { # handle 3
		type filter hook forward priority -10; policy accept;
	}
}
table inet empty {
}
`;

describe('parseNftChainList', () => {
  it('tells tables, chains and where they hang', () => {
    const { value, unparsed } = parseNftChainList(LISTED);
    expect(unparsed).toEqual([]);
    expect(value.tables.map(({ family, name }) => `${family} ${name}`)).toEqual(['ip nat', 'inet zz', 'inet empty']);
    expect(value.tables.map(({ chains }) => chains.map(({ name, handle, base }) => ({ name, handle, base })))).toEqual([
      [
        {
          name: 'PREROUTING',
          handle: 1,
          base: { type: 'nat', hook: 'prerouting', priority: -100, policy: 'accept' },
        },
        { name: 'KUBE-SERVICES', handle: 11, base: undefined },
      ],
      [
        {
          name: 'c',
          handle: 1,
          base: { type: 'filter', hook: 'ingress', priority: 5, policy: 'drop', device: ['lo'] },
        },
        { name: 'e', handle: 3, base: { type: 'filter', hook: 'forward', priority: -10, policy: 'accept' } },
      ],
      [],
    ]);
  });

  it('reads several devices', () => {
    const text = LISTED.replace('device "lo"', 'devices = { eth0, "eth1" }');
    expect(parseNftChainList(text).value.tables[1]!.chains[0]!.base!.device).toEqual(['eth0', 'eth1']);
  });

  it('says where the listing was cut short, and what it does not know', () => {
    expect(parseNftChainList('').unparsed).toEqual([]);
    expect(parseNftChainList(LISTED.slice(0, 60)).unparsed).not.toEqual([]);
    expect(parseNftChainList(LISTED.slice(0, LISTED.indexOf('table inet zz') - 2)).unparsed).toHaveLength(1);
    expect(parseNftChainList(LISTED.replace('policy drop', 'something new')).unparsed).toHaveLength(1);
  });

  it('never throws', () => {
    expectEveryTruncationParses(LISTED, parseNftChainList);
    expectFuzzParses([LISTED], parseNftChainList);
  });
});
