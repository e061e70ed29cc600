import { type Address, addressToBits, familyOf } from '../net/address.ts';
import { parsePrefix, prefixContains } from '../net/prefix.ts';
import type { Link, LinkAddress } from '../parse/ip-link.ts';

export type SourceChoice = Address | 'none';

function vrfOf(links: readonly Link[], link: Link): string | undefined {
  const master = links.find((one) => one.name === link.master);
  return master?.kind === 'vrf' ? master.name : undefined;
}

interface Candidate {
  readonly address: LinkAddress;
  /** Of the device that the packet leaves by. */
  readonly isOutput: boolean;
  readonly prefersTemporary: boolean;
}

/** Labels of RFC 6724 §2.1 as the kernel has them (net/ipv6/addrlabel.c), the longest prefix first. */
const LABELS = (
  [
    ['::1/128', 0],
    ['::ffff:0.0.0.0/96', 4],
    ['::/96', 3],
    ['2001::/32', 6],
    ['2001:10::/28', 7],
    ['2002::/16', 2],
    ['3ffe::/16', 12],
    ['fec0::/10', 11],
    ['fc00::/7', 5],
    ['::/0', 1],
  ] as const
).map(([text, label]) => ({ prefix: parsePrefix(text)!, label }));

export interface Ipv6SourceOptions {
  /** use_tempaddr of this device is 2 or more: its temporary addresses go before the others. */
  readonly prefersTemporary?: (device: string) => boolean;
  /** use_oif_addrs_only: no other device's address is taken. */
  readonly isConfined?: boolean;
}

/**
 * The IPv6 address by which a device speaks to `destination` (ipv6_dev_get_saddr in net/ipv6/addrconf.c, RFC 6724):
 * of all devices' addresses, or of this one's alone where the destination does not leave the link. Without a device, of
 * all.
 */
export function selectIpv6Source(
  links: readonly Link[],
  device: Link | undefined,
  destination: Address,
  options: Ipv6SourceOptions = {},
): SourceChoice {
  const isOfLink = scopeOf(destination) <= LINK_LOCAL || destination.startsWith('ff');
  const isBound = device !== undefined && (isOfLink || options.isConfined === true);
  const vrf = device && vrfOf(links, device);
  const devices = isBound ? [device] : links.filter((link) => vrfOf(links, link) === vrf);
  const candidates = devices.flatMap((link) =>
    link.addresses.filter(isCandidate).map(
      (address): Candidate => ({
        address,
        isOutput: device === undefined || link.name === device.name,
        prefersTemporary: options.prefersTemporary?.(link.name) ?? false,
      }),
    ),
  );
  let best: Candidate | undefined;
  for (const candidate of candidates) {
    if (!best || isBetter(candidate, best, destination)) best = candidate;
  }
  return best?.address.prefix.address ?? 'none';
}

function isCandidate({ prefix, flags }: LinkAddress): boolean {
  if (familyOf(prefix.address) !== 6 || flags.includes('dadfailed')) return false;
  return !flags.includes('tentative') || flags.includes('optimistic');
}

/** The first rule in which they differ decides. */
function isBetter(a: Candidate, b: Candidate, destination: Address): boolean {
  const [one, two] = [a, b].map((candidate) => scores(candidate, destination));
  const rule = one!.findIndex((score, index) => score !== two![index]);
  return rule >= 0 && one![rule]! > two![rule]!;
}

function scores({ address, isOutput, prefersTemporary }: Candidate, destination: Address): number[] {
  const { prefix, flags } = address;
  const scope = scopeOf(prefix.address);
  const wanted = scopeOf(destination);
  const preferred = prefix.address === '::1' || (!flags.includes('deprecated') && !flags.includes('optimistic'));
  return [
    Number(prefix.address === destination),
    scope >= wanted ? -scope : scope - 128,
    Number(preferred),
    Number(isOutput),
    Number(labelOf(prefix.address) === labelOf(destination)),
    Number(flags.includes('temporary') === prefersTemporary),
    Number(isOrchid(prefix.address) === isOrchid(destination)),
    Math.min(commonBits(prefix.address, destination), prefix.length),
    Number(!flags.includes('optimistic')),
  ];
}

const LINK_LOCAL = 2;
const SITE_LOCAL = 5;
const GLOBAL = 14;
const LINK_LOCAL_NETWORK = parsePrefix('fe80::/10')!;
const SITE_LOCAL_NETWORK = parsePrefix('fec0::/10')!;
const ORCHID = parsePrefix('2001:10::/28')!;

/** RFC 4291 §2.7; loopback counts as link-local (RFC 6724 §3.4). */
function scopeOf(address: Address): number {
  if (address.startsWith('ff')) return Number.parseInt(address.slice(3, 4), 16);
  if (address === '::1' || prefixContains(LINK_LOCAL_NETWORK, address)) return LINK_LOCAL;
  return prefixContains(SITE_LOCAL_NETWORK, address) ? SITE_LOCAL : GLOBAL;
}

function labelOf(address: Address): number {
  return LABELS.find(({ prefix }) => prefixContains(prefix, address))!.label;
}

function isOrchid(address: Address): boolean {
  return prefixContains(ORCHID, address);
}

function commonBits(a: Address, b: Address): number {
  const difference = addressToBits(a) ^ addressToBits(b);
  return 128 - (difference === 0n ? 0 : difference.toString(2).length);
}
