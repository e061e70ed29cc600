import type { NftRuleset } from './nft-json.ts';
import { NftTableReader } from './nft-json-table.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/**
 * `nft -a list chains`: every table with its chains, without rules, sets and the tables' flags (nft(8), chain_print_declaration
 * in nftables' src/rule.c). It is far cheaper than `nft list tables`, for which nft before 1.1.0 fetches all rules, and tells
 * the devices that nft's JSON leaves out. Seen: nft 1.0.6.
 */
export function parseNftChainList(text: string): Parsed<NftRuleset> {
  const reader = new NftTableReader(true);
  const unparsed: UnparsedLine[] = [];
  let table: Table | undefined;
  let chain: Chain | undefined;
  const lines = text.split('\n');
  lines.forEach((line, index) => {
    const opened = TABLE.exec(line)?.groups;
    const declared = CHAIN.exec(line)?.groups;
    const base = BASE.exec(line)?.groups;
    let isRead = true;
    if (opened) {
      table = { family: opened['family']!, table: opened['name']! };
      isRead = reader.read({ table: { family: table.family, name: table.table } });
    } else if (declared && table) chain = { ...table, name: declared['name']!, handle: Number(declared['handle']) };
    else if (base && chain) chain = { ...chain, ...base, dev: namesIn(base['devices'] ?? '') };
    else if (line === CHAIN_END && chain) {
      isRead = reader.read({ chain });
      chain = undefined;
    } else if (line === '}' && table) table = undefined;
    else isRead = PASSED_OVER.test(line);
    if (!isRead) unparsed.push({ line: index + 1, text: line.slice(0, 200) });
  });
  if (table) unparsed.push({ line: lines.length, text: `table ${table.table} is cut short` });
  return { value: { tables: reader.tables() }, unparsed };
}

interface Table {
  readonly family: string;
  readonly table: string;
}

type Chain = Table & { readonly name: string; readonly handle: number; readonly dev?: readonly string[] };

const TABLE = /^table (?<family>ip|ip6|inet|arp|bridge|netdev) (?<name>\S+) \{(?: # .*)?$/;
const CHAIN = /^\tchain (?<name>\S+) \{ # handle (?<handle>\d+)$/;
const BASE =
  /^\t\ttype (?<type>\w+) hook (?<hook>\w+)(?: (?<devices>devices? .*?))? priority (?<prio>[^;]+);(?: policy (?<policy>\w+);)?$/;
const CHAIN_END = '\t}';
const PASSED_OVER = /^(?:#.*|\s*comment ".*"|\s*flags .*|\s*)$/;

/** `device "eth0"`, `devices = { "eth0", "eth1" }`, with or without quotes. */
function namesIn(devices: string): readonly string[] {
  const list = devices.replace(/^devices?\s*=?\s*/, '').replaceAll(/[{}"]/g, '');
  return list.split(',').flatMap((name) => (name.trim() === '' ? [] : [name.trim()]));
}
