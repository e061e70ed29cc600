import { familyOf } from '../../net/address.ts';
import type { L4, Meta, Packet } from '../../net/packet.ts';
import { hostOf } from '../../net/place.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';
import type { HookInput } from '../hook.ts';

export interface PacketInput {
  readonly source?: string;
  readonly destination?: string;
  readonly l4?: L4;
  readonly ttl?: number;
  readonly tos?: number;
  readonly df?: boolean;
  readonly lengthBytes?: number;
  readonly fragmentOffset?: number;
  readonly macs?: Packet['macs'];
}

export const SYN: L4 = { protocol: 'tcp', sourcePort: 'ephemeral', destinationPort: 8080, flags: ['syn'], mss: 1410 };

export function tcpSyn(destinationPort: number): L4 {
  return { ...SYN, destinationPort } as L4;
}

export function udpTo(destinationPort: number): L4 {
  return { protocol: 'udp', sourcePort: 'ephemeral', destinationPort };
}

export const ECHO: L4 = { protocol: 'icmp', type: 8, code: 0, id: 7 };

export function buildPacket(input: PacketInput = {}): Packet {
  return {
    ip: {
      source: input.source ?? '10.244.0.5',
      destination: input.destination ?? '10.244.1.7',
      ttl: input.ttl ?? 64,
      tos: input.tos ?? 0,
      df: input.df ?? true,
      ...(input.fragmentOffset === undefined ? {} : { fragmentOffset: input.fragmentOffset }),
    },
    l4: input.l4 ?? SYN,
    lengthBytes: input.lengthBytes ?? 60,
    ...(input.macs ? { macs: input.macs } : {}),
  };
}

export function buildMeta(input: Partial<Meta> = {}): Meta {
  return { mark: 0, connmark: 0, conntrack: 'new', zone: 0, nat: [], ...input };
}

/** What a rule set is given, for a packet from a pod to another node's pod; say only what the test is about. */
export function buildHookInput(
  snapshot: Snapshot,
  input: Partial<Omit<HookInput, 'packet' | 'meta' | 'snapshot'>> & {
    readonly packet?: PacketInput;
    readonly meta?: Partial<Meta>;
  } = {},
): HookInput {
  const packet = buildPacket(input.packet);
  return {
    hook: 'forward',
    family: familyOf(packet.ip.source),
    place: hostOf('w1'),
    input: 'cni0',
    output: 'eth0',
    addressType: () => 'unicast',
    connection: { original: { source: packet.ip.source, destination: packet.ip.destination }, reply: false },
    masqueradeAddress: () => '10.78.0.11',
    ...input,
    snapshot,
    packet,
    meta: buildMeta(input.meta),
  };
}
