import { placeOf } from '../collect-case.ts';
import type { Feature } from '../feature.ts';
import type { Network } from '../network.ts';
import type { StateChange } from '../shown-change.ts';
import { type Aim, aimAt, endsAt, HOOKS_OF } from './iptables-aim.ts';
import { nftAim } from './nft-core.ts';

/*
 * What becomes of a packet that no rule has decided on: one is led past those that accept the rest. And what is marked on its way out
 * of its own host, which is routed anew.
 */

function iptablesPolicy(table: 'filter' | 'mangle' | 'raw'): Feature {
  const feature = `iptables policy in ${table}`;
  return {
    name: feature,
    weight: 0.5,
    add: (network) => {
      const aim = aimAt(network, HOOKS_OF[table]!);
      if (!aim) return false;
      const { stop, packet, draw } = aim;
      const at = { ns: stop.ns, backend: draw.pick(['legacy', 'nft'] as const), family: packet.family, table };
      if (network.hasChain(at.ns, at.backend, at.family, table, stop.hook)) return false;
      const accepting: StateChange = {
        op: 'policy',
        place: placeIn(network, stop.ns),
        text: 'accepts',
        backend: `iptables.${at.backend}`,
        family: at.family,
        table,
        chain: stop.hook,
        verdict: 'accept',
      };
      network.chain(at.ns, at.backend, at.family, table, stop.hook, 'DROP', { feature, ignored: [accepting] });
      const past = network.unique('P');
      network.chain(at.ns, at.backend, at.family, table, past);
      // Behind whatever else is put there.
      network.atLast(() => {
        network.rule({ ...at, chain: stop.hook, rule: `${flowOf(aim)} -g ${past}`, feature: '' });
        network.rule({ ...at, chain: stop.hook, rule: '-j ACCEPT', feature: '' });
      });
      return true;
    },
  };
}

function placeIn(network: Network, ns: string): StateChange['place'] {
  return placeOf({ ...network.host(ns), name: ns, addresses: [] });
}

function flowOf(aim: Aim): string {
  const ends = endsAt(aim);
  const { protocol, family } = aim.packet;
  const named = protocol === 'icmp' && family === 6 ? 'ipv6-icmp' : protocol;
  const ports = protocol === 'icmp' ? '' : ` -m ${protocol} --sport ${ends.sourcePort} --dport ${ends.destinationPort}`;
  return `-s ${ends.source} -d ${ends.destination} -p ${named}${ports}`;
}

const NFT_POLICY: Feature = {
  name: 'nft policy',
  weight: 0.5,
  add: (network) => {
    const found = nftAim(network, { name: 'policy', words: () => '' });
    if (!found) return false;
    const { aim } = found;
    const { stop, packet, table, ip, ends, draw } = aim;
    const chain = network.unique('d');
    const hook = stop.hook.toLowerCase();
    const line = `add chain ${table} ${chain} { type filter hook ${hook} priority ${draw.pick([-17, 17, 19])}; policy drop; }`;
    const [family, name] = table.split(' ') as [string, string];
    const accepting: StateChange = {
      op: 'shown',
      place: placeIn(network, stop.ns),
      action: 'nft.table',
      args: { family, name },
      where: { 'chain.name': chain },
      set: { 'chain.policy': 'accept' },
    };
    network.add({ kind: 'nft', ns: stop.ns, line, feature: 'nft policy', ignored: [accepting] });
    const flow =
      packet.protocol === 'icmp'
        ? `meta l4proto ${ip === 'ip' ? 'icmp' : 'icmpv6'} ${ip} saddr ${ends.source} ${ip} daddr ${ends.destination}`
        : `${packet.protocol} sport ${ends.sourcePort} ${packet.protocol} dport ${ends.destinationPort}`;
    const past = network.unique('e');
    network.add({ kind: 'nft', ns: stop.ns, line: `add chain ${table} ${past}` });
    network.add({ kind: 'nft', ns: stop.ns, line: `add rule ${table} ${chain} ${flow} counter goto ${past}` });
    network.add({ kind: 'nft', ns: stop.ns, line: `add rule ${table} ${chain} counter accept` });
    return true;
  },
};

/** The sender's own rules mark it, and a routing rule leads what is so marked another way. */
const REROUTED: Feature = {
  name: 'reroute by mark',
  weight: 0.7,
  add: (network) => {
    const aim = aimAt(network, ['OUTPUT']);
    if (!aim) return false;
    const { stop, packet, draw } = aim;
    const at = { ns: stop.ns, family: packet.family };
    const mark = `0x${draw.pick(['200', '4000'])}`;
    const backend = draw.pick(['legacy', 'nft'] as const);
    const rule = `${flowOf(aim)} -j MARK --set-xmark ${mark}/${mark}`;
    network.rule({ ...at, backend, table: 'mangle', chain: 'OUTPUT', rule, feature: 'reroute by mark' });
    const action = draw.pick(['prohibit', 'unreachable', 'blackhole']);
    network.add({ kind: 'ip', ...at, line: `rule add fwmark ${mark}/${mark} ${action} pref ${draw.int(40, 90)}` });
    return true;
  },
};

/** A source that no packet from elsewhere may have (ip_route_input_slow: martian source), put there by the last host before. */
const MARTIAN: Feature = {
  name: 'martian source',
  weight: 0.7,
  add: (network) => {
    const aim = aimAt(network, ['POSTROUTING'], undefined, { families: [4] });
    if (!aim || aim.stop.isReply || aim.stop.output === undefined) return false;
    const { stop, draw } = aim;
    const source = draw.pick(['127.0.0.9', '0.1.2.3', '224.0.0.9', '255.255.255.255']);
    const backend = draw.pick(['legacy', 'nft'] as const);
    const rule = `${flowOf(aim)} -j SNAT --to-source ${source}`;
    const ignoredRule = flowOf(aim);
    network.rule({
      ns: stop.ns,
      backend,
      family: 4,
      table: 'nat',
      chain: 'POSTROUTING',
      rule,
      ignoredRule,
      feature: 'martian source',
    });
    return true;
  },
};

export const POLICY_FEATURES: readonly Feature[] = [
  MARTIAN,
  iptablesPolicy('filter'),
  iptablesPolicy('mangle'),
  iptablesPolicy('raw'),
  NFT_POLICY,
  REROUTED,
];
