import type { CaseBackend, CasePacket } from '../case.ts';
import type { Feature } from '../feature.ts';
import type { HookPoint, Network } from '../network.ts';
import { type Aim, aimAt, aimAtPacket, endsAt } from './iptables-aim.ts';

/*
 * Entries of connection tracking that were there before the first packet: what they say stands, whatever the rules have come to say
 * since. conntrack(8) makes them.
 */

interface EntryAim extends Aim {
  readonly packet: CasePacket;
  /** Another host, that the entry may lead to. */
  readonly other: string;
  readonly backend: CaseBackend;
}

interface Entry {
  /** What the entry says beside its ends. */
  readonly words: string;
  /** What the rules say now. */
  readonly rules: readonly { readonly table: string; readonly chain: HookPoint; readonly words: string }[];
}

interface EntryOptions {
  readonly protocols?: readonly CasePacket['protocol'][];
  readonly hooks?: readonly HookPoint[];
}

/** Seconds; more than a case takes. */
const TIMEOUT = 600;

/** Answered and assured: no packet of it is a new one. */
const ANSWERED = '--status SEEN_REPLY,ASSURED';

function entryFeature(
  name: string,
  entry: (aim: EntryAim) => Entry,
  { protocols = ['udp'], hooks = ['PREROUTING', 'OUTPUT'] }: EntryOptions = {},
): Feature {
  const feature = `conntrack entry ${name}`;
  return {
    name: feature,
    add: (network) => {
      const aim = entryAim(network, protocols, hooks);
      if (!aim) return false;
      const { ns } = aim.stop;
      const { words, rules } = entry(aim);
      const { source, destination, sourcePort, destinationPort } = endsAt(aim);
      const { protocol, family } = aim.packet;
      // One entry of each flow.
      const isTaken = network.items.some((item) => {
        return item.kind === 'conntrack' && item.ns === ns && item.line.includes(` --sport ${sourcePort} `);
      });
      if (isTaken) return false;
      const flow = `-p ${protocol} -s ${source} -d ${destination} --sport ${sourcePort} --dport ${destinationPort}`;
      network.add({
        kind: 'conntrack',
        ns,
        line: `${flow} --timeout ${TIMEOUT}${words === '' ? '' : ` ${words}`}`,
        feature,
      });
      for (const { table, chain, words } of rules) {
        const rule = `-p ${protocol} -m ${protocol} --sport ${sourcePort} ${words}`;
        network.rule({ ns, backend: aim.backend, family, table, chain, rule, feature: '' });
      }
      return true;
    },
  };
}

/** Where a packet first meets connection tracking of a namespace, on its way there. */
function entryAim(
  network: Network,
  protocols: readonly CasePacket['protocol'][],
  hooks: readonly HookPoint[],
): EntryAim | undefined {
  const found = aimAt(network, hooks, protocols);
  const aim = found?.stop.isReply ? onlyThere(network, found.packet, hooks) : found;
  if (!aim) return undefined;
  const { draw } = aim;
  const packet = withSource(network, aim.packet);
  const own = network.host(packet.ns);
  const others = network.hosts.filter((one) => one !== own && one.address[packet.family] !== packet.destination);
  const other = others.length === 0 ? own : draw.pick(others);
  return { ...aim, packet, other: other.address[packet.family], backend: draw.pick(['legacy', 'nft']) };
}

/** A node has several addresses: the entry's is the one that it is bound to. */
function withSource(network: Network, packet: CasePacket): CasePacket {
  const bound = { ...packet, source: packet.source ?? network.host(packet.ns).address[packet.family] };
  network.packets[network.packets.indexOf(packet)] = bound;
  return network.aimable([bound]);
}

function onlyThere(network: Network, packet: CasePacket, hooks: readonly HookPoint[]): Aim | undefined {
  for (let tries = 0; tries < 8; tries++) {
    const aim = aimAtPacket(network, packet, hooks);
    if (aim && !aim.stop.isReply) return aim;
  }
  return undefined;
}

function withPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}

/** The first hook of the namespace, at which NAT of the destination is decided. */
const early = ({ stop }: Aim): HookPoint => stop.hook;

function elsewhere(aim: EntryAim): Entry['rules'][number] {
  const to = withPort(aim.other, 443);
  return { table: 'nat', chain: early(aim), words: `-j DNAT --to-destination ${to}` };
}

/** Its own host's or another's address, that the node may send from. */
function nodeAddress({ network, stop, packet }: Aim): string {
  return network.host(network.host(stop.ns).node).address[packet.family];
}

/** By NAT's table nobody's packets are changed, but its hooks are there. */
function idle(aim: EntryAim): Entry['rules'][number] {
  return { table: 'nat', chain: early(aim), words: '-m mark --mark 0x7777 -j ACCEPT' };
}

const TTL = (aim: Aim): string => `-j ${aim.packet.family === 6 ? 'HL --hl' : 'TTL --ttl'}-set 40`;

export const ENTRY_FEATURES: readonly Feature[] = [
  entryFeature('old destination', (aim) => ({
    words: `--dst-nat ${withPort(aim.other, 8080)} ${aim.draw.chance(0.5) ? ANSWERED : ''}`.trim(),
    rules: [
      aim.draw.chance(0.5)
        ? {
            table: 'nat',
            chain: early(aim),
            words: `-j DNAT --to-destination ${withPort(aim.packet.destination, 443)}`,
          }
        : idle(aim),
    ],
  })),
  entryFeature('not translated', (aim) => ({ words: ANSWERED, rules: [elsewhere(aim)] })),
  entryFeature('old source', (aim) => ({
    words: `--src-nat ${withPort(nodeAddress(aim), 30_777)} ${ANSWERED}`,
    rules: [idle(aim)],
  })),
  entryFeature('established', (aim) => ({
    words: ANSWERED,
    rules: [{ table: 'mangle', chain: early(aim), words: `-m conntrack --ctstate ESTABLISHED ${TTL(aim)}` }],
  })),
  entryFeature('unreplied', (aim) => ({
    words: '',
    rules: [
      { table: 'mangle', chain: early(aim), words: `-m conntrack --ctstatus NONE ${TTL(aim)}` },
      { table: 'mangle', chain: early(aim), words: '-m conntrack --ctstatus CONFIRMED -j MARK --set-mark 0x1' },
    ],
  })),
  entryFeature('mark', (aim) => ({
    // In this order: its --status after --mark is taken for a mark (conntrack-tools 1.4.7).
    words: `${ANSWERED} --mark 5`,
    rules: [{ table: 'mangle', chain: early(aim), words: `-m connmark --mark 0x5 ${TTL(aim)}` }],
  })),
  entryFeature(
    'tcp',
    (aim) => ({
      words: `--state ${aim.draw.pick(['ESTABLISHED', 'TIME_WAIT', 'SYN_SENT', 'FIN_WAIT', 'CLOSE_WAIT', 'LAST_ACK', 'SYN_RECV'])} --dst-nat ${withPort(aim.other, 8080)} ${ANSWERED}`,
      rules: [idle(aim)],
    }),
    { protocols: ['tcp'] },
  ),
];
