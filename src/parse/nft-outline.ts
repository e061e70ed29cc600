import type { Parsed, UnparsedLine } from './parsed.ts';

/**
 * `nft -t list table FAMILY NAME`, of which only what the JSON of nft 1.0.6 lacks is read: the table's flags (there other
 * memory is printed) and the devices of ingress and egress chains (left out). Source of truth: nft(8), nftables' src/rule.c
 * (chain_print_declaration, table_print_flags). Seen: nft 1.0.6. Rules, sets and objects are passed over.
 */
export interface NftOutline {
  readonly flags: readonly string[];
  /** Chains at a device's hook. */
  readonly chains: readonly { readonly name: string; readonly devices: readonly string[] }[];
}

const TABLE = /^table (ip|ip6|inet|arp|bridge|netdev) \S+ \{/;
const FLAGS = /^\tflags (?<flags>[a-z, ]+)$/;
const CHAIN = /^\tchain (?<name>\S+) \{/;
const DECLARATION = /^\t\ttype \w+ hook (?:ingress|egress) (?<devices>devices? .*?) ?priority /;

export function parseNftOutline(text: string): Parsed<NftOutline> {
  const lines = text.split('\n');
  const unparsed: UnparsedLine[] = [];
  let flags: readonly string[] = [];
  let chain: string | undefined;
  const chains: { name: string; devices: readonly string[] }[] = [];
  for (const line of lines) {
    flags = FLAGS.exec(line)?.groups?.flags?.split(/[, ]+/) ?? flags;
    chain = CHAIN.exec(line)?.groups?.name ?? chain;
    const devices = DECLARATION.exec(line)?.groups?.devices;
    if (devices !== undefined && chain !== undefined) chains.push({ name: chain, devices: namesIn(devices) });
  }
  const isWhole = TABLE.test(lines[0] ?? '') && lines.findLast((line) => line !== '') === '}';
  if (!isWhole) unparsed.push({ line: 1, text: (lines[0] ?? '').slice(0, 200) });
  return { value: { flags, chains }, unparsed };
}

/** `device "eth0"`, `devices = { "eth0", "eth1" }`, with or without quotes. */
function namesIn(devices: string): readonly string[] {
  const list = devices.replace(/^devices?\s*=?\s*/, '').replaceAll(/[{}]/g, '');
  return list
    .split(',')
    .map((name) => name.trim().replaceAll('"', ''))
    .filter((name) => name !== '');
}
