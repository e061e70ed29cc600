import type { CasePacket } from '../case.ts';
import type { Feature } from '../feature.ts';
import type { HookPoint, Network } from '../network.ts';
import { type Aim, aimAt, aimedWords } from './iptables-aim.ts';
import { addRule } from './iptables-core.ts';

/* Connection tracking: zones, packets that are not tracked, flows whose entry an earlier packet has left behind. */

const RAW: readonly HookPoint[] = ['PREROUTING', 'OUTPUT'];

function rawFeature(name: string, words: (aim: Aim) => string): Feature {
  return {
    name,
    add: (network) => {
      const aim = aimAt(network, RAW);
      if (!aim) return false;
      addRule(network, aim, { table: 'raw', rule: `${aimedWords(aim)} ${words(aim)}`.trim(), feature: name });
      showStates(network, aim);
      return true;
    },
  };
}

/** Rules whose counters show what the packets there, and their answers, have become to connection tracking. */
function showStates(network: Network, { stop, packet }: Aim): void {
  const at = { ns: stop.ns, backend: network.draw.pick(['legacy', 'nft'] as const), family: packet.family };
  const protocol = packet.protocol !== 'icmp' ? packet.protocol : packet.family === 6 ? 'ipv6-icmp' : 'icmp';
  for (const chain of ['PREROUTING', 'OUTPUT'] as const) {
    for (const state of ['NEW', 'UNTRACKED']) {
      const rule = `-p ${protocol} -m conntrack --ctstate ${state}`;
      network.rule({ ...at, table: 'mangle', chain, rule, feature: '' });
    }
  }
}

/** Somebody who looks at connections, so that the namespace tracks them. */
function watch(network: Network, aim: Aim): void {
  const { stop, packet } = aim;
  const at = { ns: stop.ns, backend: network.draw.pick(['legacy', 'nft'] as const), family: packet.family };
  const hook = network.draw.pick(['INPUT', 'FORWARD', 'OUTPUT'] as const);
  const states = network.draw.pick(['NEW', 'ESTABLISHED', 'INVALID', 'UNTRACKED', 'RELATED']);
  network.rule({
    ...at,
    table: 'filter',
    chain: hook,
    rule: `-m conntrack --ctstate ${states}`,
    feature: 'iptables match conntrack ctstate',
  });
}

function repeated(network: Network, change: (packet: CasePacket) => CasePacket | undefined): CasePacket | undefined {
  if (network.packets.length >= 8) return undefined;
  const packet = network.draw.pick(network.packets);
  const again = change(packet);
  if (again) network.packets.push(again);
  return again;
}

export const CONNECTION_FEATURES: readonly Feature[] = [
  rawFeature('iptables target NOTRACK', () => '-j CT --notrack'),
  rawFeature('iptables target CT zone', ({ draw }) => `-j CT --zone ${draw.pick([1, 7])}`),
  rawFeature('iptables target CT zone-orig', ({ draw }) => `-j CT --zone-orig ${draw.pick([1, 7])}`),
  rawFeature('iptables target CT zone-reply', ({ draw }) => `-j CT --zone-reply ${draw.pick([1, 7])}`),
  {
    name: 'conntrack reused flow',
    add: (network) => {
      const again = repeated(network, (packet) => (packet.protocol === 'tcp' ? undefined : packet));
      const aim = again && aimAt(network, ['INPUT', 'FORWARD', 'OUTPUT']);
      if (aim) watch(network, aim);
      return again !== undefined;
    },
  },
  {
    name: 'conntrack clash',
    add: (network) => {
      // Another destination from the same port: where both are translated to one, the second port gives way.
      const again = repeated(network, (packet) => {
        const others = network.hosts.filter(
          (one) => one.ns !== packet.ns && one.address[packet.family] !== packet.destination,
        );
        if (packet.protocol !== 'udp' || others.length === 0) return undefined;
        return { ...packet, destination: network.draw.pick(others).address[packet.family] };
      });
      if (!again) return false;
      const to = network.draw.pick(network.hosts).address[again.family];
      const ns = network.host(again.ns).node;
      for (const hook of ns === again.ns ? (['OUTPUT'] as const) : (['PREROUTING'] as const)) {
        network.rule({
          ns,
          backend: network.draw.pick(['legacy', 'nft'] as const),
          family: again.family,
          table: 'nat',
          chain: hook,
          rule: `-p udp -m udp --sport ${again.sourcePort} -j DNAT --to-destination ${again.family === 6 ? `[${to}]` : to}:80`,
          feature: 'conntrack clash',
        });
      }
      return true;
    },
  },
];
