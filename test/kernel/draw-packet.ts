import type { Family } from '../../src/net/address.ts';
import type { CasePacket } from './case.ts';
import type { Network } from './network.ts';

/** Ports that every namespace listens on, and one that none does. */
export const PORTS = [53, 80, 443, 8080] as const;
const CLOSED_PORT = 9;
const FIRST_SOURCE_PORT = 20_000;
const ALL = ['tcp', 'tcp', 'udp', 'udp', 'udp', 'icmp'] as const;

/** A random packet; of these protocols and families, where told. */
export function drawPacket(
  network: Network,
  index: number,
  {
    protocols = ALL,
    families,
  }: { readonly protocols?: readonly CasePacket['protocol'][]; readonly families?: readonly Family[] } = {},
): CasePacket {
  const { draw } = network;
  const any: Family = draw.chance(0.55) ? 4 : 6;
  const family = families && !families.includes(any) ? draw.pick(families) : any;
  const from = draw.pick(network.hosts);
  const others = network.hosts.filter((one) => one !== from);
  const to = draw.chance(0.04) ? from : draw.pick(others);
  const protocol = draw.pick(protocols);
  return {
    ns: from.ns,
    family,
    protocol,
    sourcePort: FIRST_SOURCE_PORT + index,
    destination: to.address[family],
    destinationPort: protocol === 'icmp' ? 0 : draw.chance(0.08) ? CLOSED_PORT : draw.pick(PORTS),
    payloadBytes: protocol === 'icmp' ? draw.pick([16, 64, 500]) : draw.pick([1, 20, 100, 1000, 1400]),
    df: draw.chance(0.7),
    ...(protocol !== 'tcp' && draw.chance(0.2) ? { ttl: draw.int(1, 5) } : {}),
    ...(draw.chance(0.15) ? { tos: draw.pick([0x10, 0x28, 0xb8]) } : {}),
    ...(draw.chance(0.1) ? { uid: 1337, gid: 1337 } : {}),
    ...(draw.chance(0.1) ? { mark: draw.pick([1, 2, 0x4000, 0x8001]) } : {}),
  };
}
