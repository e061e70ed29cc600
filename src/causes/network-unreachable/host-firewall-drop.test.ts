import { expect, test } from 'vitest';
import { buildCase, checkWith, flow, leafTrace, probe, step } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { namedOn, recorded, recordedCase, W1, W2 } from '../testing/recorded-case.ts';
import { filterPolicy, insertRule } from '../testing/recorded-faults.ts';
import { hostFirewallDrop } from './host-firewall-drop.ts';

const no = probe('no', 'timed-out');

test('present: somebody’s DROP in FORWARD, with its line, its counter and its removal', () => {
  const rule = '-A FORWARD -d 10.244.1.0/24 -j DROP';
  const text = recorded('iptables.nft', W1).replace(/\n(?=\[\d+:\d+\] -A INPUT)/, `\n[3:180] ${rule}\n`);
  const before = text.replace('[3:180]', '[0:0]');
  const args = { family: 4, table: '' };
  const given = recordedCase({
    answers: [['iptables.nft', W1, args, before]],
    after: [['iptables.nft', W1, args, text]],
    probes: { main: no },
  });
  const finding = checkWith(hostFirewallDrop, given, W1);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...W1, object: 'iptables-nft filter FORWARD rule 1' });
  expect(presentOf(finding).change).toEqual([
    expect.objectContaining({ op: 'rule', act: 'remove', backend: 'iptables.nft', chain: 'FORWARD', number: 1 }),
  ]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['walk', 'kernel', 'probe']);
  expect(statements(finding)).toContain(`“${rule}” (iptables-nft filter FORWARD rule 1) drops 10.244.0.4 → 10.244.1.3`);
  expect(presentOf(finding).evidence[0]!.source.line).toBeGreaterThan(0);
  expect(presentOf(finding).fix.commands).toEqual([
    'iptables-nft -t filter -D FORWARD -d 10.244.1.0/24 -j DROP    # on w1',
  ]);
  expect(namedOn(given)).toEqual(['host-firewall-drop']);
});

test('present: a REJECT says what the sender sees', () => {
  const rule = insertRule(W1, '-A FORWARD -d 10.244.1.0/24 -j REJECT --reject-with icmp-host-prohibited');
  const finding = checkWith(hostFirewallDrop, recordedCase({ changes: [rule], probes: { main: no } }), W1);
  expect(statements(finding)).toContain('rejects (the sender sees icmp 3/10)');
});

test('present: a native nftables base chain beside iptables', () => {
  const policy = step({
    kind: 'policy',
    values: { backend: 'nft', family: 'inet', table: 'fw', chain: 'forward', hook: 'forward', policy: 'DROP' },
  });
  const flows = [flow({ forward: leafTrace('dropped-by-rule', { place: W1, steps: [policy] }), probe: no })];
  const finding = checkWith(hostFirewallDrop, buildCase({ flows }), W1);
  expect(presentOf(finding).place?.object).toBe('nft inet fw forward policy');
  expect(presentOf(finding).change?.[0]).toMatchObject({ op: 'policy', backend: 'nft', table: 'inet fw' });
});

test('present: a rule that drops neighbour discovery, so that the packet is never sent', () => {
  const asked = step({
    kind: 'neighbour',
    values: { device: 'va', address: 'fd00::10', reason: 'filtered' },
    matched: 'no',
  });
  const rule = step({
    kind: 'rule',
    values: {
      backend: 'iptables-nft',
      family: 6,
      table: 'filter',
      chain: 'INPUT',
      ruleNumber: 2,
      ruleText: '-A INPUT -p ipv6-icmp -j DROP',
      verdict: 'drop',
      question: true,
    },
  });
  const flows = [flow({ forward: leafTrace('dropped-by-rule', { place: W1, steps: [asked, rule] }), probe: no })];
  const finding = checkWith(hostFirewallDrop, buildCase({ flows }), W1);
  expect(statements(finding)).toContain(
    "“-A INPUT -p ipv6-icmp -j DROP” (iptables-nft filter INPUT rule 2) drops a neighbour's question or answer: fd00::10 on va can't be resolved",
  );
  expect(presentOf(finding).change?.[0]).toMatchObject({ op: 'rule', act: 'remove', family: 6, number: 2 });
});

test('absent: the rules of kube-proxy and flannel drop nothing that passes', () => {
  const given = recordedCase({ probes: { main: probe('yes', 'connected') } });
  expect(checkWith(hostFirewallDrop, given, W1).is).toBe('absent');
});

test.each([
  [
    'kube-proxy’s own REJECT of a Service without endpoints',
    {
      backend: 'iptables-nft',
      table: 'filter',
      chain: 'KUBE-EXTERNAL-SERVICES',
      ruleNumber: 1,
      verdict: 'reject',
      ruleText: '-A KUBE-EXTERNAL-SERVICES -d 10.96.1.2/32 -p tcp -m tcp --dport 80 -j REJECT',
    },
  ],
  [
    'a NetworkPolicy’s drop by Calico',
    {
      backend: 'iptables-nft',
      table: 'filter',
      chain: 'cali-tw-cali1234567890a',
      ruleNumber: 7,
      verdict: 'drop',
      ruleText: '-A cali-tw-cali1234567890a -m comment --comment "cali:x" -j DROP',
    },
  ],
  [
    'the same by nft, where iptables-nft calls its own table incompatible',
    {
      backend: 'nft',
      family: 'ip',
      table: 'filter',
      chain: 'cali-tw-cali1234567890a',
      handle: 71,
      ruleNumber: 7,
      verdict: 'drop',
      ruleText: 'counter packets 3 bytes 180 drop',
    },
  ],
  [
    'a table of kube-proxy in nftables mode',
    {
      backend: 'nft',
      family: 'ip',
      table: 'kube-proxy',
      chain: 'reject-chain',
      handle: 9,
      ruleNumber: 1,
      verdict: 'reject',
      ruleText: 'reject',
    },
  ],
])('near miss: %s', (_, values) => {
  const flows = [
    flow({ forward: leafTrace('dropped-by-rule', { place: W1, steps: [step({ kind: 'rule', values })] }) }),
  ];
  expect(checkWith(hostFirewallDrop, buildCase({ flows }), W1).is).toBe('absent');
});

test('near miss: the FORWARD policy has a name of its own, and so has the overlay’s port', () => {
  const policy = recordedCase({ changes: [filterPolicy(W1, 'FORWARD'), insertRule(W1, '-A FORWARD -j RETURN')] });
  expect(checkWith(hostFirewallDrop, policy, W1).is).toBe('absent');
  expect(namedOn(policy)).toEqual(['forward-policy-drop']);
  const port = recordedCase({ changes: [insertRule(W2, '-A INPUT -p udp -m udp --dport 8472 -j DROP')] });
  expect(checkWith(hostFirewallDrop, port, W2).is).toBe('absent');
  expect(namedOn(port)).toEqual(['overlay-port-blocked']);
});

test('near miss: a rule that drops what the probe shows to pass is not blamed', () => {
  const rule = insertRule(W1, '-A FORWARD -d 10.244.1.0/24 -m limit --limit 5/sec -j DROP');
  const given = recordedCase({ changes: [rule], probes: { main: probe('yes', 'connected') } });
  expect(namedOn(given)).toEqual([]);
});

test('near miss: connections that are established and related pass before the DROP; only the first packet meets it', () => {
  const given = recordedCase({
    changes: [
      insertRule(W2, '-A FORWARD -m conntrack --ctstate NEW -d 10.244.0.0/16 -j ACCEPT'),
      insertRule(W2, '-A FORWARD -m conntrack --ctstate INVALID -j DROP', 'filter', 2),
    ],
  });
  expect(checkWith(hostFirewallDrop, given, W2).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('unknown: the rules of the node were cut', () => {
  const given = recordedCase({ without: [[W1, ['iptables.nft']]], probes: { main: no } });
  expect(checkWith(hostFirewallDrop, given, W1)).toMatchObject({ is: 'unknown' });
});
