import { describe, expect, it } from 'vitest';
import { parseIptablesList } from './iptables-list.ts';
import { parseIptablesSave } from './iptables-save.ts';

// iptables v1.8.9 (nf_tables): `iptables-nft -t nat -v -S CHAIN`, and what `iptables-nft-save -c` says of the same.
const BASE = `-P POSTROUTING ACCEPT -c 12 720
-A POSTROUTING -m comment --comment "kubernetes postrouting rules" -c 0 0 -j KUBE-POSTROUTING
-A POSTROUTING -s 10.1.0.0/16 -c 7 420 -j MASQUERADE
`;
const BASE_SAVED = `*nat
:POSTROUTING ACCEPT [12:720]
[0:0] -A POSTROUTING -m comment --comment "kubernetes postrouting rules" -j KUBE-POSTROUTING
[7:420] -A POSTROUTING -s 10.1.0.0/16 -j MASQUERADE
COMMIT
`;
const OWN = `-N KUBE-SVC-5UX2CDJJR6YYZ5MA
-A KUBE-SVC-5UX2CDJJR6YYZ5MA ! -s 10.244.0.0/16 -d 10.96.0.5/32 -p tcp -m comment --comment "team-5/service-5:http cluster IP" -m tcp --dport 80 -c 1 60 -j KUBE-MARK-MASQ
-A KUBE-SVC-5UX2CDJJR6YYZ5MA -m comment --comment "team-5/service-5:http -> 10.244.0.11:8080" -m statistic --mode random --probability 0.20000000019 -c 0 0 -j KUBE-SEP-FVPUCVZF25MHCHGU
`;

describe('one chain as iptables -S lists it', () => {
  it('is read as iptables-save shows it', () => {
    const chainOf = ({ value }: ReturnType<typeof parseIptablesSave>) => value.tables[0]!.chains[0]!;
    const listed = chainOf(parseIptablesList(BASE, 'nat'));
    const saved = chainOf(parseIptablesSave(BASE_SAVED));
    const said = (chain: typeof listed) => ({ ...chain, rules: chain.rules.map(({ line: _, ...rule }) => rule) });
    expect(said(listed)).toEqual(said(saved));
    expect(listed).toMatchObject({ name: 'POSTROUTING', policy: 'ACCEPT', packets: 12, bytes: 720 });
  });

  it('keeps the numbers of its lines', () => {
    const { value, unparsed } = parseIptablesList(OWN, 'nat');
    expect(unparsed).toEqual([]);
    const [chain] = value.tables[0]!.chains;
    expect(chain).toMatchObject({ name: 'KUBE-SVC-5UX2CDJJR6YYZ5MA', rules: [{ line: 2 }, { line: 3 }] });
    expect(chain!.policy).toBeUndefined();
    expect(chain!.rules[0]).toMatchObject({ packets: 1, bytes: 60, target: { name: 'KUBE-MARK-MASQ' } });
  });

  it('takes nothing in quotes for counters', () => {
    const text =
      '-N X\n-A X -m comment --comment "a \\" -c 1 2 -j DROP" -c 3 4 -j LOG --log-prefix "-c 5 6 -j Y"\n-A X -c 7 8\n';
    const [chain] = parseIptablesList(text, 'filter').value.tables[0]!.chains;
    expect(chain!.rules).toMatchObject([
      { packets: 3, bytes: 4, comment: 'a " -c 1 2 -j DROP', target: { name: 'LOG' } },
      { packets: 7, bytes: 8 },
    ]);
    expect(chain!.rules[1]!.target).toBeUndefined();
  });

  it('reads a listing without counters', () => {
    const { value, unparsed } = parseIptablesList('-P INPUT DROP\n-A INPUT -i lo -j ACCEPT\n', 'filter');
    expect(unparsed).toEqual([]);
    expect(value.tables[0]!.chains[0]).toMatchObject({ policy: 'DROP', rules: [{ text: '-A INPUT -i lo -j ACCEPT' }] });
  });

  it('tells what it does not understand, wherever the text is cut', () => {
    expect(parseIptablesList('-N X\nsomething\n', 'nat').unparsed).toEqual([{ line: 2, text: 'something' }]);
    for (let end = 0; end < BASE.length; end++) {
      expect(() => parseIptablesList(BASE.slice(0, end), 'nat')).not.toThrow();
    }
  });
});
