import { describe, expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import { nftHookEntries } from './nftables.ts';
import {
  type FixturePacket,
  localAddresses,
  nftFacts,
  recorded,
  snapshotOf,
  summaryOf,
  syn,
  throughHook,
} from './testing/nftables-fixture.ts';

/** Recorded from a cluster whose real answers are told in fixtures-nft/README.md. */
const NODES = { w1: nodeOf('w1'), w2: nodeOf('w2') };
const ENDPOINTS = ['10.244.0.3:8080', '10.244.1.3:8080'];
const CLIENT = { w1: '10.244.0.4', w2: '10.244.1.4' };
const OUTSIDE = '10.79.0.254';

function nodeOf(name: 'w1' | 'w2') {
  const place = hostOf(name);
  const facts = nftFacts(recorded(`kube-proxy/${name}.nft-ruleset.json`), place);
  const iptables = [4, 6].map((family) => ({
    name: 'iptables.nft' as const,
    place,
    args: { family, table: '' },
    value: { tables: ['filter', 'nat', 'mangle'].map((table) => ({ name: table, chains: [] })) },
  }));
  return {
    place,
    snapshot: snapshotOf([...facts, ...iptables]),
    local: localAddresses(`kube-proxy/${name}.addr.json`),
  };
}

function at(
  node: 'w1' | 'w2',
  hook: 'prerouting' | 'output' | 'forward' | 'input' | 'postrouting',
  packet: FixturePacket,
) {
  const { snapshot, place, local } = NODES[node];
  return throughHook(hook, snapshot, { local, ...packet }, place);
}

const fromClient = (node: 'w1' | 'w2', to: string, l4 = syn(80)): FixturePacket => ({
  from: CLIENT[node],
  to,
  l4,
  input: 'cni0',
});
const fromOutside = (to: string, port: number, from = OUTSIDE): FixturePacket => ({
  from,
  to,
  l4: syn(port),
  input: 'eth0',
});
const each = (mark = ''): readonly string[] => ENDPOINTS.map((to) => `0.5 accept destination ${to}${mark}`);

describe('the rules of kube-proxy in nftables mode', () => {
  it('are read whole, and iptables-nft tables are left to iptables', () => {
    const { entries, wants, incomplete } = nftHookEntries(NODES.w1.snapshot, NODES.w1.place);
    expect({ wants, incomplete }).toEqual({ wants: [], incomplete: [] });
    expect(
      entries.filter((entry) => entry.family === 4).map((entry) => [entry.name, entry.hook, entry.priority, entry.nat]),
    ).toEqual([
      ['nft ip kube-proxy filter-prerouting-pre-dnat', 'prerouting', -110, false],
      ['nft ip kube-proxy filter-output-pre-dnat', 'output', -110, false],
      ['nft ip kube-proxy filter-input', 'input', 0, false],
      ['nft ip kube-proxy filter-forward', 'forward', 0, false],
      ['nft ip kube-proxy filter-output', 'output', 0, false],
      ['nft ip kube-proxy nat-prerouting', 'prerouting', -100, true],
      ['nft ip kube-proxy nat-output', 'output', -100, true],
      ['nft ip kube-proxy nat-postrouting', 'postrouting', 100, true],
    ]);
    expect(entries.filter((entry) => entry.family === 6)).toHaveLength(8);
  });

  it('balance a ClusterIP over its endpoints, from a pod and from the node', () => {
    for (const to of ['10.96.250.241', '10.96.79.152', '10.96.202.43', '10.96.39.134', '10.96.113.49']) {
      expect(summaryOf(at('w1', 'prerouting', fromClient('w1', to)))).toEqual(each());
    }
    const own = at('w1', 'output', { from: '10.79.0.11', to: '10.96.250.241', l4: syn(80), output: 'eth0' });
    expect(summaryOf(own)).toEqual(each(' mark 0x4000'));
  });

  it('tell the way through the rules, step by step', () => {
    const [outcome] = at('w1', 'prerouting', fromClient('w1', '10.96.250.241'));
    expect(outcome?.steps.map((step) => [step.kind, step.at, step.text])).toEqual([
      ['rule', 'prerouting nft ip kube-proxy filter-prerouting-pre-dnat#1', 'jump firewall-check'],
      [
        'policy',
        'prerouting nft ip kube-proxy filter-prerouting-pre-dnat policy',
        'ip kube-proxy filter-prerouting-pre-dnat: policy accept',
      ],
      ['rule', 'prerouting nft ip kube-proxy nat-prerouting#1', 'jump services'],
      ['rule', 'prerouting nft ip kube-proxy services#1', 'goto service-AXK6CI2C-demo/web/tcp/http'],
      [
        'rule',
        'prerouting nft ip kube-proxy service-AXK6CI2C-demo/web/tcp/http#2',
        'goto endpoint-6VPB4XLZ-demo/web/tcp/http__10.244.0.3/8080',
      ],
      [
        'rule',
        'prerouting nft ip kube-proxy endpoint-6VPB4XLZ-demo/web/tcp/http__10.244.0.3/8080#2',
        'destination NAT to 10.244.0.3:8080',
      ],
    ]);
    expect(outcome?.steps.at(-1)?.values).toMatchObject({
      backend: 'nft',
      family: 'ip',
      table: 'kube-proxy',
      chain: 'endpoint-6VPB4XLZ-demo/web/tcp/http__10.244.0.3/8080',
      ruleNumber: 2,
      ruleText: 'meta l4proto tcp dnat to 10.244.0.3:8080',
      verdict: 'nat',
      nat: 'destination',
      toAddress: '10.244.0.3',
      toPort: 8080,
    });
    expect(outcome?.steps.every((step) => step.matched === 'yes')).toBe(true);
  });

  it('mark a pod that reaches itself for masquerading', () => {
    const outcomes = at('w1', 'prerouting', { from: '10.244.0.3', to: '10.96.250.241', l4: syn(80), input: 'cni0' });
    expect(summaryOf(outcomes)).toEqual([
      '0.5 accept destination 10.244.0.3:8080 mark 0x4000',
      '0.5 accept destination 10.244.1.3:8080',
    ]);
  });

  it('keep a client with ClientIP affinity at its endpoint, and let a new one choose', () => {
    expect(summaryOf(at('w1', 'prerouting', fromClient('w1', '10.96.177.138')))).toEqual([
      '1 accept destination 10.244.1.3:8080',
    ]);
    const other = { from: '10.244.0.5', to: '10.96.177.138', l4: syn(80), input: 'cni0' };
    expect(summaryOf(at('w1', 'prerouting', other))).toEqual(each());
  });

  it('serve each port of a Service, UDP too', () => {
    expect(summaryOf(at('w1', 'prerouting', fromClient('w1', '10.96.113.49', syn(8000))))).toEqual(each());
    const udp = { protocol: 'udp', sourcePort: 'ephemeral', destinationPort: 81 } as const;
    expect(summaryOf(at('w1', 'prerouting', fromClient('w1', '10.96.113.49', udp)))).toEqual(
      ['10.244.0.3:8081', '10.244.1.3:8081'].map((to) => `0.5 accept destination ${to}`),
    );
    expect(
      summaryOf(at('w1', 'prerouting', fromClient('w1', '10.96.113.49', { ...udp, destinationPort: 80 }))),
    ).toEqual(['1 accept']);
  });

  it('reject what has no endpoints, and drop what has none here', () => {
    const reject = ['1 reject {"type":3,"code":3}'];
    expect(summaryOf(at('w1', 'forward', fromClient('w1', '10.96.15.52')))).toEqual(reject);
    expect(summaryOf(at('w1', 'output', { from: '10.79.0.11', to: '10.96.15.52', output: 'eth0' }))).toEqual(reject);
    expect(summaryOf(at('w1', 'input', fromOutside('10.79.0.11', 30083)))).toEqual(reject);
    expect(summaryOf(at('w2', 'forward', fromClient('w2', '10.96.187.53')))).toEqual(['1 drop']);
    expect(summaryOf(at('w2', 'input', fromOutside('10.79.0.12', 30081)))).toEqual(['1 drop']);
    const [dropped] = at('w2', 'forward', fromClient('w2', '10.96.187.53'));
    expect(dropped?.steps.at(-1)).toMatchObject({
      kind: 'rule',
      at: 'forward nft ip kube-proxy service-endpoints-check#1',
      text: 'drop',
      values: { verdict: 'drop', chain: 'service-endpoints-check' },
    });
  });

  it('reject a port that no Service has, and drop an address that none has', () => {
    expect(summaryOf(at('w1', 'forward', fromClient('w1', '10.96.250.241', syn(9999))))).toEqual([
      '1 reject {"type":3,"code":3}',
    ]);
    expect(summaryOf(at('w1', 'forward', fromClient('w1', '10.96.33.33')))).toEqual(['1 drop']);
    const established = { ...fromClient('w1', '10.96.33.33'), meta: { conntrack: 'established' as const } };
    expect(summaryOf(at('w1', 'forward', established))).toEqual(['1 accept']);
  });

  it('take NodePort traffic in, masqueraded unless the policy is Local', () => {
    expect(summaryOf(at('w1', 'prerouting', fromOutside('10.79.0.11', 30080)))).toEqual(each(' mark 0x4000'));
    expect(summaryOf(at('w1', 'prerouting', fromOutside('10.79.0.11', 30081)))).toEqual([
      '1 accept destination 10.244.0.5:8080',
    ]);
    expect(summaryOf(at('w2', 'prerouting', fromOutside('10.79.0.12', 30081)))).toEqual(['1 accept']);
    expect(
      summaryOf(at('w1', 'output', { from: '10.79.0.11', to: '10.79.0.11', l4: syn(30081), output: 'lo' })),
    ).toEqual(['1 accept destination 10.244.0.5:8080 mark 0x4000']);
    expect(summaryOf(at('w1', 'prerouting', fromOutside('10.79.0.12', 30080)))).toEqual(['1 accept']);
  });

  it('let only the source ranges of a LoadBalancer in, and serve external addresses', () => {
    expect(summaryOf(at('w1', 'prerouting', fromOutside('198.51.100.7', 80)))).toEqual(each(' mark 0x4000'));
    expect(summaryOf(at('w1', 'prerouting', fromOutside('198.51.100.7', 80, '192.0.2.77')))).toEqual(
      each(' mark 0x4000'),
    );
    expect(summaryOf(at('w1', 'prerouting', fromOutside('198.51.100.7', 80, '10.79.0.1')))).toEqual(['1 drop']);
    expect(summaryOf(at('w1', 'prerouting', fromClient('w1', '198.51.100.7')))).toEqual(['1 drop']);
    expect(summaryOf(at('w1', 'prerouting', fromOutside('203.0.113.9', 80)))).toEqual(each(' mark 0x4000'));
  });

  it('masquerade what is marked, and take the mark off again', () => {
    const marked = {
      from: '10.79.0.254',
      to: '10.244.1.3',
      l4: syn(8080),
      output: 'flannel.1',
      meta: { mark: 0x4000 },
    };
    const [outcome] = at('w1', 'postrouting', marked);
    expect(summaryOf([outcome!])).toEqual(['1 accept masquerade']);
    expect(outcome?.steps.flatMap((step) => step.changes)).toEqual([{ field: 'mark', from: 0x4000, to: 0 }]);
    expect(summaryOf(at('w1', 'postrouting', { ...marked, meta: { mark: 0x1 } }))).toEqual(['1 accept mark 0x1']);
  });

  it('leave nothing undecided', () => {
    const targets = [
      '10.96.250.241',
      '10.96.177.138',
      '10.96.15.52',
      '10.96.33.33',
      '10.96.187.53',
      '198.51.100.7',
      '10.79.0.11',
    ];
    for (const node of ['w1', 'w2'] as const) {
      for (const hook of ['prerouting', 'forward', 'input', 'output', 'postrouting'] as const) {
        for (const to of targets) {
          const outcomes = at(node, hook, { from: CLIENT[node], to, l4: syn(80), input: 'cni0', output: 'eth0' });
          expect(outcomes.flatMap((outcome) => outcome.steps).filter((step) => step.features.length > 0)).toEqual([]);
          expect(outcomes.reduce((sum, outcome) => sum + outcome.chance.min, 0)).toBeCloseTo(1);
        }
      }
    }
  });
});
