import type { Packet } from '../net/packet.ts';
import type { IptablesChain, IptablesRule } from '../parse/iptables-save.ts';
import { ScannedChain } from '../parse/iptables-save-chains.ts';
import { addressKey, hostKey, PORT_PROTOCOLS, portKey } from '../parse/iptables-save-keys.ts';

/** Shorter chains are walked rule by rule. */
export const INDEXED_ABOVE = 16;

/** What a chain's rules can be found by. Both undefined: the rule is looked at for every packet. */
interface RuleKeys {
  readonly destination: number | undefined;
  readonly port: number | undefined;
}

/**
 * The rules of a long chain by what they are about, so that a packet meets only those that can match it. A rule about
 * one destination address cannot match a packet to another one, whatever else of it is undecided; the same holds for
 * one port of one protocol. The rules that are about neither are met by every packet.
 */
export interface RuleIndex {
  /** Indexes of the rules that may match, ascending; undefined where all have to be looked at. */
  readonly candidates: (packet: Packet) => readonly number[] | undefined;
}

export function indexChain(chain: IptablesChain): RuleIndex | undefined {
  const count = ruleCountOf(chain);
  if (count <= INDEXED_ABOVE) return undefined;
  const lists = { byBoth: newLists<number>(), byDestination: newLists<number>(), byPort: newLists<number>() };
  const rest: number[] = [];
  const portsOf = new Map<number, Map<number, number[]>>();
  for (let index = 0; index < count; index++) {
    const { destination, port } = keysAt(chain, index);
    if (destination === undefined && port === undefined) rest.push(index);
    else if (destination === undefined) push(lists.byPort, port!, index);
    else if (port === undefined) push(lists.byDestination, destination, index);
    else {
      const ports = portsOf.get(destination) ?? newLists<number>();
      portsOf.set(destination, ports);
      push(ports, port, index);
    }
  }
  return {
    candidates: (packet) => {
      const port = portOf(packet);
      if (port === 'any') return undefined;
      const destination = addressKey(packet.ip.destination);
      return merged([
        rest,
        lists.byDestination.get(destination),
        port === undefined ? undefined : lists.byPort.get(port),
        port === undefined ? undefined : portsOf.get(destination)?.get(port),
      ]);
    },
  };
}

function newLists<K>(): Map<K, number[]> {
  return new Map();
}

function push(lists: Map<number, number[]>, key: number, index: number): void {
  const list = lists.get(key);
  if (list) list.push(index);
  else lists.set(key, [index]);
}

/** 'any' where the packet's port is not known: then it may be each. Undefined: it has none, and no rule about one matches. */
function portOf({ ip, l4 }: Packet): number | 'any' | undefined {
  if (!('destinationPort' in l4)) return undefined;
  if (typeof l4.destinationPort !== 'number' || (ip.fragmentOffset ?? 0) > 0) return 'any';
  return portKey(PORT_PROTOCOLS[l4.protocol]!, l4.destinationPort);
}

/** Ascending lists as one. */
function merged(lists: readonly (readonly number[] | undefined)[]): readonly number[] {
  let all: readonly number[] = [];
  for (const list of lists) {
    if (list === undefined || list.length === 0) continue;
    all = all.length === 0 ? list : [...all, ...list].sort((a, b) => a - b);
  }
  return all;
}

export function ruleCountOf(chain: IptablesChain): number {
  return chain instanceof ScannedChain ? chain.ruleCount : chain.rules.length;
}

export function ruleAt(chain: IptablesChain, index: number): IptablesRule {
  return chain instanceof ScannedChain ? chain.ruleAt(index) : chain.rules[index]!;
}

function keysAt(chain: IptablesChain, index: number): RuleKeys {
  if (chain instanceof ScannedChain) {
    return { destination: chain.destinationKey(index), port: chain.portKey(index) };
  }
  return keysOfRule(chain.rules[index]!);
}

/** The same for a rule that was not scanned but made, by a change or a test. */
function keysOfRule({ matches }: IptablesRule): RuleKeys {
  const selectors = matches[0]?.module === 'ip' ? matches[0].options : [];
  const plain = (name: string): string | undefined => {
    const found = selectors.filter((option) => option.name === name);
    return found.length === 1 && !found[0]!.negated && found[0]!.values.length === 1 ? found[0]!.values[0] : undefined;
  };
  const destination = plain('d');
  const protocol = plain('p');
  const number =
    protocol !== undefined && Object.hasOwn(PORT_PROTOCOLS, protocol) ? PORT_PROTOCOLS[protocol] : undefined;
  const port = matches
    .find((match) => match.module === protocol)
    ?.options.find((option) => option.name === 'dport' && !option.negated)?.values;
  const isPort = port?.length === 1 && /^\d{1,5}$/.test(port[0]!);
  return {
    destination: destination === undefined ? undefined : hostKey(destination),
    port: number === undefined || !isPort ? undefined : portKey(number, Number(port![0])),
  };
}
