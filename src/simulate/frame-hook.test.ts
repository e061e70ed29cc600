import { describe, expect, it } from 'vitest';
import type { Cursor, Stage } from './cursor.ts';
import { atFrameHook, frameHookList, hasTies } from './frame-hook.ts';
import type { HookLayer, HookName } from './hook.ts';
import { runHook } from './hooks.ts';
import { type FixtureFact, HERE, nftFacts, snapshotOf, syn } from './testing/nftables-fixture.ts';
import { NO_CONNECTIONS, untouched } from './tracking.ts';

interface Chain {
  readonly family: 'bridge' | 'netdev' | 'inet';
  readonly hook: HookName;
  readonly priority: number;
  readonly device?: string;
  readonly rules: readonly (readonly unknown[])[];
}

/** Each chain in a table of its own. */
function facts(chains: readonly Chain[]): readonly FixtureFact[] {
  const items = chains.flatMap(({ family, hook, priority, device, rules }, index) => {
    const table = `t${index}`;
    const base = { type: 'filter', hook, prio: priority, policy: 'accept', ...(device && { dev: device }) };
    return [
      { table: { family, name: table, handle: index } },
      { chain: { family, table, name: 'c', handle: 1, ...base } },
      ...rules.map((expr, at) => ({ rule: { family, table, chain: 'c', handle: at + 2, expr } })),
    ];
  });
  return nftFacts(JSON.stringify({ nftables: items }));
}

const AFTER: Stage = { name: 'transmit', device: 'v1', hooked: true };
const mark = (value: unknown): object => ({ mangle: { key: { meta: { key: 'mark' } }, value } });
const shifted = (bit: number): object => mark({ '|': [{ '<<': [{ meta: { key: 'mark' } }, 4] }, bit] });

function cursor(): Cursor {
  return {
    place: HERE,
    stage: { name: 'transmit', device: 'v1' },
    packet: {
      macs: { source: '02:00:00:00:00:01', destination: '02:00:00:00:00:02' },
      ip: { source: '10.0.0.1', destination: '10.0.0.2', ttl: 64, tos: 0, df: true },
      l4: syn(80),
      lengthBytes: 60,
    },
    meta: untouched(),
    tracking: NO_CONNECTIONS,
    path: { local: false },
    visited: [],
  };
}

function run(chains: readonly Chain[], hook: HookName, layer: HookLayer) {
  const snapshot = snapshotOf(facts(chains));
  const start = atFrameHook(snapshot, cursor(), hook, layer, AFTER);
  if (start.stage === AFTER) return 'nothing';
  const gate = { parts: [], podAddressesRoutable: 'yes' } as const;
  const way = runHook({ world: { snapshot, gate } }, start).ways[0]!;
  return 'end' in way.to ? way.to.end : { mark: way.to.meta.mark, stage: way.to.stage };
}

const BRIDGE = { kind: 'bridge', bridge: 'br0', input: 'v1', output: 'v2' } as const;

describe('hooks of devices', () => {
  const ingress = (family: 'netdev' | 'inet', device: string, priority = 0): Chain => {
    return { family, hook: 'ingress', priority, device, rules: [[shifted(family === 'netdev' ? 1 : 2)]] };
  };

  it('are run for their device alone, of both families in order of priority', () => {
    const chains = [ingress('inet', 'eth0', 5), ingress('netdev', 'eth0', -5), ingress('netdev', 'eth1')];
    expect(run(chains, 'ingress', { kind: 'device', device: 'eth0' })).toEqual({ mark: 0x12, stage: AFTER });
    expect(run(chains, 'egress', { kind: 'device', device: 'eth0' })).toBe('nothing');
    expect(run(chains, 'ingress', { kind: 'device', device: 'eth2' })).toBe('nothing');
  });

  it('know the device and the frame', () => {
    const conditions = [
      { match: { op: '==', left: { meta: { key: 'iifname' } }, right: 'eth0' } },
      { match: { op: '==', left: { payload: { protocol: 'ether', field: 'saddr' } }, right: '02:00:00:00:00:01' } },
      { match: { op: '==', left: { payload: { protocol: 'tcp', field: 'dport' } }, right: 80 } },
    ];
    const chain: Chain = {
      family: 'netdev',
      hook: 'ingress',
      priority: 0,
      device: 'eth0',
      rules: [[...conditions, { drop: null }]],
    };
    expect(run([chain], 'ingress', { kind: 'device', device: 'eth0' })).toBe('dropped-by-rule');
  });

  it('whose devices the JSON does not tell are asked for', () => {
    const chain: Chain = { family: 'netdev', hook: 'ingress', priority: 0, rules: [[{ drop: null }]] };
    const layer = { kind: 'device', device: 'eth0' } as const;
    const unseen = snapshotOf(facts([chain]));
    expect(frameHookList(unseen, HERE, 'ingress', layer).incomplete).toHaveLength(1);
    const outline = { name: 'nft.outline', args: { family: 'netdev', name: 't0' } } as const;
    const seen = (devices: readonly string[]) =>
      snapshotOf([...facts([chain]), { ...outline, value: { flags: [], chains: [{ name: 'c', devices }] } }]);
    expect(frameHookList(seen(['eth0']), HERE, 'ingress', layer)).toMatchObject({ incomplete: [], items: [{}] });
    expect(frameHookList(seen(['eth*']), HERE, 'ingress', layer).items).toHaveLength(1);
    expect(frameHookList(seen(['eth1']), HERE, 'ingress', layer)).toMatchObject({ incomplete: [], items: [] });
  });
});

describe('hooks of bridges', () => {
  const chain = (hook: HookName, priority: number, bit: number): Chain => {
    return { family: 'bridge', hook, priority, rules: [[shifted(bit)]] };
  };

  it('are run in order of priority, before and behind br_netfilter', () => {
    const chains = [chain('forward', 5, 3), chain('forward', -200, 1), chain('forward', -2, 2), chain('input', 0, 9)];
    expect(run(chains, 'forward', BRIDGE)).toMatchObject({ mark: 0x123 });
    expect(run(chains, 'forward', { ...BRIDGE, below: -1 })).toMatchObject({ mark: 0x12 });
    expect(run(chains, 'forward', { ...BRIDGE, from: -1 })).toMatchObject({ mark: 0x3 });
    expect(run(chains, 'output', BRIDGE)).toBe('nothing');
  });

  it('name the ports and the bridge', () => {
    const named = (key: string, right: string): object => ({ match: { op: '==', left: { meta: { key } }, right } });
    const rule = [named('iifname', 'v1'), named('oifname', 'v2'), named('ibrname', 'br0'), { drop: null }];
    expect(run([{ ...chain('forward', 0, 1), rules: [rule] }], 'forward', BRIDGE)).toBe('dropped-by-rule');
  });

  it('track connections where a rule looks at them', () => {
    const state = { match: { op: 'in', left: { ct: { key: 'state' } }, right: 'new' } };
    const tracking = { ...chain('prerouting', -100, 1), rules: [[state, { drop: null }]] };
    const snapshot = snapshotOf(facts([tracking]));
    const kinds = (hook: HookName): readonly string[] =>
      frameHookList(snapshot, HERE, hook, BRIDGE).items.map((item) => item.kind);
    expect(kinds('prerouting')).toEqual(['conntrack', 'rules']);
    expect(kinds('postrouting')).toEqual(['confirm']);
    expect(kinds('forward')).toEqual([]);
  });

  it('tell that the order beside br_netfilter is open', () => {
    expect(hasTies(snapshotOf(facts([chain('prerouting', 0, 1)])), HERE)).toBe(true);
    expect(hasTies(snapshotOf(facts([chain('prerouting', 1, 1), chain('input', 0, 1)])), HERE)).toBe(false);
  });
});
