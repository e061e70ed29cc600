import type { Place } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { ArpMessage, HookInput, HookVerdict } from './hook.ts';
import { type NftHookEntry, nftHookEntries } from './nftables.ts';
import { nftTableNames } from './nftables-tables.ts';
import { perPlace } from './per-place.ts';
import type { Truth } from './trace.ts';
import { untouched } from './tracking.ts';

const chainsAt = perPlace((snapshot: Snapshot, place: Place) => nftHookEntries(snapshot, place, 'arp'));

/**
 * Whether a namespace's arp chains (nftables, and arptables-nft, which are such) let a message of ARP in or out
 * (NF_ARP_IN in arp_rcv, NF_ARP_OUT in arp_xmit, net/ipv4/arp.c). Where the tables were not seen the walk learns of it at
 * the namespace's IP hooks, to which the packet goes next.
 */
export function arpPasses(
  snapshot: Snapshot,
  place: Place,
  hook: 'input' | 'output',
  device: string,
  arp: ArpMessage,
): Truth {
  if (nftTableNames(snapshot, place).state === 'unseen') return 'yes';
  const { entries, incomplete } = chainsAt(snapshot, place);
  if (incomplete.length > 0) return 'unknown';
  const chains = entries.filter((entry) => entry.hook === hook).toSorted((a, b) => a.priority - b.priority);
  if (chains.length === 0) return 'yes';
  const ends = chains.map((chain) => endOf(chain, inputOf(snapshot, place, hook, device, arp)));
  if (ends.includes('no')) return 'no';
  return ends.includes('unknown') ? 'unknown' : 'yes';
}

/** One chain's word; a mark that it sets is nothing that another one's verdict would wait for. */
function endOf(chain: NftHookEntry, input: HookInput): Truth {
  const kinds = new Set<HookVerdict['kind']>(chain.evaluate(input).map((outcome) => outcome.verdict.kind));
  if (kinds.size > 1 || kinds.has('unknown')) return 'unknown';
  return kinds.has('accept') ? 'yes' : 'no';
}

const NO_PACKET = {
  ip: { source: '0.0.0.0', destination: '0.0.0.0', ttl: 0, tos: 0, df: false },
  l4: { protocol: 0 },
  lengthBytes: 0,
} as const;

function inputOf(
  snapshot: Snapshot,
  place: Place,
  hook: 'input' | 'output',
  device: string,
  arp: ArpMessage,
): HookInput {
  return {
    hook,
    arp,
    family: 4,
    place,
    snapshot,
    packet: NO_PACKET,
    meta: untouched(),
    ...(hook === 'input' ? { input: device } : { output: device }),
    addressType: () => 'unknown',
    connection: { original: { source: '0.0.0.0', destination: '0.0.0.0' }, reply: false },
    masqueradeAddress: () => undefined,
  };
}
