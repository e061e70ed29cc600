import { expect, test } from 'vitest';
import { buildCase, checkWith, flow, leafTrace, packet, probe, step } from '../../diagnose/testing/build-case.ts';
import { presentOf, statements } from '../testing/cause-cases.ts';
import { CLIENT_IP, namedOn, recorded, recordedCase, W1, W2, WEB_IP } from '../testing/recorded-case.ts';
import { filterPolicy, insertRule, removeRules } from '../testing/recorded-faults.ts';
import { forwardPolicyDrop } from './forward-policy-drop.ts';

/** Docker's policy, and flannel's accepts are gone. */
const dropped = {
  changes: [filterPolicy(W1, 'FORWARD')],
  edits: [removeRules(W1, /-A FLANNEL-FWD/)],
  probes: { main: probe('no', 'timed-out') },
};

test('present: no rule accepts, the policy drops, its counter rose and the probe heard nothing', () => {
  const counted = recorded('iptables.nft', W1).replaceAll(/:FORWARD ACCEPT \[0:0\]/g, ':FORWARD DROP [3:180]');
  const given = recordedCase({ ...dropped, after: [['iptables.nft', W1, { family: 4, table: '' }, counted]] });
  const finding = checkWith(forwardPolicyDrop, given, W1);
  expect(presentOf(finding).claims).toEqual([{ flow: 'main', leg: 'forward', segment: 0 }]);
  expect(presentOf(finding).place).toEqual({ ...W1, object: 'iptables filter FORWARD policy' });
  expect(presentOf(finding).change).toEqual([
    {
      op: 'policy',
      place: W1,
      backend: 'iptables.nft',
      family: 4,
      table: 'filter',
      chain: 'FORWARD',
      verdict: 'accept',
      text: 'iptables-nft -P FORWARD ACCEPT',
    },
  ]);
  expect(presentOf(finding).evidence.map((one) => one.plane)).toEqual(['walk', 'kernel', 'probe']);
  expect(statements(finding)).toContain(
    `filter FORWARD (iptables-nft) has the policy DROP, and none of its rules accepts ${CLIENT_IP} → ${WEB_IP}\n`,
  );
  expect(statements(finding)).toContain('the policy of filter FORWARD counted 3 more packets while the probes ran');
  expect(presentOf(finding).fix.commands[0]).toBe('iptables-nft -P FORWARD ACCEPT    # on w1');
  expect(namedOn(given)).toEqual(['forward-policy-drop']);
});

test('present: an undecided rule before it may accept, and that is said', () => {
  const maybe = insertRule(W1, '-A FORWARD -m limit --limit 5/sec -j ACCEPT');
  const finding = checkWith(forwardPolicyDrop, recordedCase({ ...dropped, changes: [...dropped.changes, maybe] }), W1);
  expect(statements(finding)).toContain(
    'unless “-A FORWARD -m limit --limit 5/sec -j ACCEPT” takes it before, which could not be decided',
  );
});

test('present: an undecided rule that only counts takes nothing, and is not made much of', () => {
  const log = insertRule(W1, '-A FORWARD -m limit --limit 5/sec -j LOG');
  const finding = checkWith(forwardPolicyDrop, recordedCase({ ...dropped, changes: [...dropped.changes, log] }), W1);
  expect(statements(finding)).not.toContain('could not be decided');
});

test('present: a FORWARD chain that only nft can list is the same chain', () => {
  const policy = step({
    kind: 'policy',
    values: { backend: 'nft', family: 'ip', table: 'filter', chain: 'FORWARD', hook: 'forward', policy: 'DROP' },
  });
  const flows = [flow({ forward: leafTrace('dropped-by-rule', { place: W1, steps: [policy] }) })];
  const finding = checkWith(forwardPolicyDrop, buildCase({ flows }), W1);
  expect(presentOf(finding).change?.[0]).toMatchObject({ backend: 'nft', table: 'ip filter' });
});

test('absent: the policy drops, but the CNI’s own rules accept before (a node with Docker and flannel)', () => {
  const given = recordedCase({ changes: [filterPolicy(W1, 'FORWARD'), filterPolicy(W2, 'FORWARD')] });
  expect(checkWith(forwardPolicyDrop, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual([]);
});

test('near miss: a rule of the same chain drops it', () => {
  const given = recordedCase({ changes: [insertRule(W1, '-A FORWARD -s 10.244.0.0/24 -j DROP')] });
  expect(checkWith(forwardPolicyDrop, given, W1).is).toBe('absent');
  expect(namedOn(given)).toEqual(['host-firewall-drop']);
});

test('near miss: the INPUT policy of the node that is asked', () => {
  const asks = [
    { to: '10.79.0.12', l4: { protocol: 'tcp', sourcePort: 'ephemeral', destinationPort: 10250 } },
  ] as const;
  const given = recordedCase({ changes: [filterPolicy(W2, 'INPUT')], asks });
  expect(checkWith(forwardPolicyDrop, given, W2).is).toBe('absent');
  expect(namedOn(given)).toEqual(['host-firewall-drop']);
});

test('near miss: what the policy drops is a tunnel’s outer packet, between other nodes', () => {
  const policy = step({
    kind: 'policy',
    values: { backend: 'iptables-nft', family: 4, table: 'filter', chain: 'FORWARD', policy: 'DROP' },
  });
  const outer = { ...packet({ source: '10.79.0.11', destination: '10.79.0.12' }), inner: packet() };
  const forward = leafTrace('dropped-by-rule', { place: W1, steps: [policy], packet: outer });
  expect(checkWith(forwardPolicyDrop, buildCase({ flows: [flow({ forward })] }), W1).is).toBe('absent');
});

test('unknown: the rules of the other node were not read, and the policy there may drop', () => {
  const given = recordedCase({ without: [[W2, ['iptables.nft']]], probes: { main: probe('no', 'timed-out') } });
  expect(checkWith(forwardPolicyDrop, given, W2)).toMatchObject({ is: 'unknown' });
  const answered = recordedCase({ without: [[W2, ['iptables.nft']]], probes: { main: probe('yes', 'connected') } });
  expect(checkWith(forwardPolicyDrop, answered, W1).is).toBe('absent');
});
