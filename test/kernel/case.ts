import type { Family } from '../../src/net/address.ts';
import type { StateChange } from './shown-change.ts';

/** One network with its packets: all that is needed to make it real, and to take it apart line by line. */
export interface KernelCase {
  /** What it is about; where it came from. */
  readonly story: string;
  readonly namespaces: readonly CaseNamespace[];
  readonly items: readonly CaseItem[];
  readonly packets: readonly CasePacket[];
  /** Milliseconds to wait after a packet whose neighbour must be resolved by asking; 0: all are known. */
  readonly settleMs: number;
}

export interface CaseNamespace {
  /** A node's own (`a`, `b`), or one of its pods' (`a1`, `b2`). */
  readonly name: string;
  readonly node: string;
  readonly pod: boolean;
  /** What the API would list for it; the first is its main one. */
  readonly addresses: readonly string[];
}

export type CaseBackend = 'legacy' | 'nft';

interface ItemBase {
  readonly ns: string;
  /** What it exercises, as coverage counts it: `iptables match ttl`, `route blackhole`; '' for mere scaffolding. */
  readonly feature: string;
  /**
   * What the state would look like to a simulator that ignores the feature, or has it the wrong way round. By default
   * `ignored` is the state without this item.
   */
  readonly ignored?: readonly StateChange[];
  readonly negated?: readonly StateChange[];
  /** Nothing but its own counter tells of it (LOG): that counter is the outcome that is lost without it. */
  readonly countsOnly?: true;
}

/** One thing that is set up. Those of one kind are made in the order of the list, the kinds in the order of this type. */
export type CaseItem = ItemBase &
  (
    | { readonly kind: 'sysctl'; readonly key: string; readonly value: string; readonly early?: true }
    /** A line for `ip -batch`; `@netns:NAME@` is a namespace. */
    | { readonly kind: 'link'; readonly line: string }
    | { readonly kind: 'ip'; readonly line: string; readonly family?: Family }
    | { readonly kind: 'bridge' | 'ipset' | 'tc'; readonly line: string }
    | {
        readonly kind: 'iptables';
        readonly backend: CaseBackend;
        readonly family: Family;
        readonly table: string;
        readonly chain: string;
        /** After `-A CHAIN`; a rule that ignores or negates the feature. */
        readonly rule: string;
        readonly ignoredRule?: string;
        readonly negatedRule?: string;
      }
    | {
        readonly kind: 'iptables-chain';
        readonly backend: CaseBackend;
        readonly family: Family;
        readonly table: string;
        readonly chain: string;
        /** `-` for a chain of the user's. */
        readonly policy: 'ACCEPT' | 'DROP' | '-';
      }
    /** An entry of connection tracking, as `conntrack -I` takes it. */
    | { readonly kind: 'conntrack'; readonly line: string }
    /** A program of XDP on a device, which lets every frame pass or none. */
    | { readonly kind: 'xdp'; readonly device: string; readonly act: 'pass' | 'drop' }
    /** A command of `nft -f`. */
    | { readonly kind: 'nft'; readonly line: string }
    | { readonly kind: 'socket'; readonly socket: CaseSocket }
  );

export interface CaseSocket {
  readonly protocol: 'tcp' | 'udp';
  readonly family: Family;
  readonly address: string;
  readonly port: number;
  readonly device?: string;
  readonly v6only?: boolean;
  readonly reuseport?: boolean;
  readonly transparent?: boolean;
  readonly freebind?: boolean;
  /** Takes datagrams and answers none. */
  readonly silent?: boolean;
}

export interface CasePacket {
  readonly ns: string;
  readonly family: Family;
  readonly protocol: 'tcp' | 'udp' | 'icmp';
  /** Absent: the kernel chooses. */
  readonly source?: string;
  /** For ICMP the id. */
  readonly sourcePort: number;
  readonly destination: string;
  readonly destinationPort: number;
  /** Of UDP the payload; of ICMP the message with its header. */
  readonly payloadBytes: number;
  readonly df: boolean;
  readonly ttl?: number;
  readonly tos?: number;
  readonly mark?: number;
  readonly device?: string;
  readonly uid?: number;
  readonly gid?: number;
  readonly broadcast?: boolean;
}

/** `net.ipv4.conf.eth0/100.rp_filter` as a file (sysctl(8)): dots and slashes change places. */
export function sysctlFile(key: string): string {
  return `/proc/sys/${[...key].map((one) => (one === '.' ? '/' : one === '/' ? '.' : one)).join('')}`;
}
