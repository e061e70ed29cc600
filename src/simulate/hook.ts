import type { Request } from '../host/host.ts';
import type { Family } from '../net/address.ts';
import type { Meta, Packet, Port } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { RouteFound } from './routes.ts';
import type { Chance, Step, Truth } from './trace.ts';

/** Netfilter's hooks (include/uapi/linux/netfilter.h); ingress and egress are a device's own (NF_NETDEV_INGRESS, _EGRESS). */
export type HookName = 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting' | 'ingress' | 'egress';

/** Where a frame meets nftables outside of IP. Absent: an IP hook. */
export type HookLayer =
  | { readonly kind: 'device'; readonly device: string }
  /** A bridge's hook, with the ports; chains from `from` on and below `below` only, since br_netfilter stands between. */
  | {
      readonly kind: 'bridge';
      readonly bridge: string;
      readonly input?: string;
      readonly output?: string;
      readonly from?: number;
      readonly below?: number;
    };

/** One direction of a connection. Of ICMP both ports are the id. */
export interface HookTuple {
  readonly protocol?: string;
  readonly source: string;
  readonly sourcePort?: Port;
  readonly destination: string;
  readonly destinationPort?: Port;
  readonly type?: number;
  readonly code?: number;
  /** What an unknown port was chosen from. */
  readonly chosenFrom?: { readonly from: number; readonly to: number };
}

/** A question or an answer of ARP (RFC 826), for chains of family arp; what is left out is not known. */
export interface ArpMessage {
  readonly operation: 'request' | 'reply';
  readonly senderMac?: string;
  readonly senderIp?: string;
  readonly targetMac?: string;
  readonly targetIp: string;
}

/** What one rule set is given at one hook. */
export interface HookInput {
  readonly hook: HookName;
  readonly layer?: HookLayer;
  /** It is no IP packet: `packet` says nothing. */
  readonly arp?: ArpMessage;
  readonly family: Family;
  readonly place: Place;
  readonly snapshot: Snapshot;
  readonly packet: Packet;
  readonly meta: Meta;
  readonly input?: string;
  readonly output?: string;
  /** Bridge ports, where br_netfilter calls the IP hooks for a bridged frame (`-m physdev`). */
  readonly physicalInput?: string;
  readonly physicalOutput?: string;
  /** Whether the destination is one of this namespace's own addresses (`addrtype LOCAL`, `fib daddr type local`), by the local table. */
  readonly addressType: (
    address: string,
    device?: string,
  ) =>
    | 'unicast'
    | 'local'
    | 'broadcast'
    | 'multicast'
    | 'anycast'
    | 'blackhole'
    | 'unreachable'
    | 'prohibit'
    | 'unknown';
  /** The connection's tuple before any NAT, and whether this packet is a reply (`ct original`, `-m conntrack --ctorigdst`). */
  readonly connection: {
    readonly original: HookTuple;
    readonly reply: boolean;
    /** Bits of the connection's status (enum ip_conntrack_status); absent where there is no connection. */
    readonly status?: Readonly<Record<'expected' | 'seenReply' | 'assured' | 'confirmed', Truth>>;
    /** The tuple of the answers (`ct reply`, `--ctreplsrc`); it differs from the turned original after NAT. */
    readonly answer?: HookTuple;
  };
  /** Whether a local socket sent this packet, in the output and postrouting hooks; its owner where it is known. */
  readonly socket?: { readonly uid?: number; readonly gid?: number };
  /** The packet's route, after prerouting (skb_dst). */
  readonly route?: RouteFound;
  /** The first address of the output device that a MASQUERADE would take; undefined: not known. */
  readonly masqueradeAddress: () => string | undefined;
  /** Sets that rules of this namespace have added to on this walk (`FAMILY TABLE SET` of nft, `ipset NAME`): a miss there is not certain. */
  readonly touched?: readonly string[];
  /** Within one iptables table: CT or NOTRACK has dealt with this packet, and no later one does (xt_ct_target). */
  readonly hasTemplate?: boolean;
  /** 'all': a rule set also tells of each rule that it passed over, with the match that failed (World.record). */
  readonly record?: 'all';
}

export type NatRange = {
  readonly address?: string;
  /** Inclusive; a single address when absent. */
  readonly addressTo?: string;
  readonly port?: number;
  readonly portTo?: number;
  /** `port` stands for this one, and the others follow (`--to-destination A:P-Q/BASE`, NF_NAT_RANGE_PROTO_OFFSET). */
  readonly portBase?: number;
};

export type HookVerdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop' }
  /** `with`: 'tcp-reset', or the ICMP type/code. */
  | { readonly kind: 'reject'; readonly with: 'tcp-reset' | { readonly type: number; readonly code: number } }
  | { readonly kind: 'queue' }
  /** A TPROXY or socket hand-over: the packet goes to a process of this namespace. */
  | { readonly kind: 'tproxy'; readonly address?: string; readonly port?: number }
  /** A rule whose effect is not modelled, or a rule set that was not read wholly: what becomes of the packet is not known. */
  | { readonly kind: 'unknown'; readonly because: string; readonly wants?: readonly Request[] };

/** One way in which a rule set can have dealt with the packet. Several where chance or an undecided rule forks it. */
export interface HookOutcome {
  readonly chance: Chance;
  readonly fork?: 'random' | 'undecided';
  readonly verdict: HookVerdict;
  /** With the rule set's own changes (mark, ttl, tos, mss …) applied; NAT is not applied here but told in `nat`. */
  readonly packet: Packet;
  readonly meta: Meta;
  readonly nat?: {
    readonly kind: 'source' | 'destination';
    readonly to: NatRange;
    readonly masquerade?: boolean;
    readonly redirect?: boolean;
    /** `--random`, `--random-fully`: the port is drawn even where the old one is free. */
    readonly random?: boolean;
    readonly fullyRandom?: boolean;
    /** `--persistent`: the address of a range depends on the client alone. */
    readonly persistent?: boolean;
  };
  readonly notrack?: boolean;
  /** The packet and mark by which an output hook's rule set has it routed anew; the hook's runner fills it in. */
  readonly reroute?: { readonly packet: Packet; readonly mark: number };
  /** The packet bears a template of a connection, as in HookInput. */
  readonly hasTemplate?: boolean;
  /** What this rule set has added to, as in HookInput. */
  readonly touched?: readonly string[];
  /** What would make it surer. */
  readonly wants?: readonly Request[];
  readonly steps: readonly Step[];
}

/** One function registered at a hook, with the kernel's priority (NF_IP_PRI_*, include/uapi/linux/netfilter_ipv4.h). */
export interface HookEntry {
  readonly name: string; // "nat-nft", "filter-legacy", "nft inet fw forward"
  readonly priority: number;
  /** nat chains see only the first packet of a connection. */
  readonly nat: boolean;
  /** At output: routes anew what it changed in addresses, mark or TOS (iptables' mangle, nft's `type route`). */
  readonly reroutes?: boolean;
  /** Of entries of one group and equal priority, the one with the higher order was registered later and so runs first. */
  readonly registered?: { readonly group: string; readonly order: number };
  /** Whether outcomes that are alike are one already: nothing remains to be put together. */
  readonly distinct?: boolean;
  readonly evaluate: (input: HookInput) => readonly HookOutcome[];
}
