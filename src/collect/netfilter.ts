import type { Scalar } from '../host/host.ts';
import { parseAddress } from '../net/address.ts';
import { CTNETLINK_MISSING } from '../parse/conntrack-list.ts';
import type { Collector } from './collector.ts';
import { LIMITS } from './limits.ts';

/*
 * Packet filter and connection tracking of one network namespace.
 *
 * Asking changes nothing: `iptables-legacy-save` without `-t` writes out only the tables in /proc/net/ip_tables_names
 * (with `-t nat` it would create the table), and is not run at all where that file is empty or missing; its `-L` and `-S`,
 * which take the xtables lock, are never used. `iptables-nft-save` and `iptables-nft -S` make no table and take no lock
 * (compared by a test). The first question to nf_tables or ip_set would make the kernel load that module; where it is not loaded there is nothing to list.
 */

const NO_TABLES = '{"nftables": []}\n';

export const iptablesLegacy: Collector = {
  fact: 'iptables.legacy',
  scope: 'namespace',
  how: ({ family }) =>
    family === 6
      ? { via: 'command', argv: ['ip6tables-legacy-save', '-c'], when: { file: '/proc/net/ip6_tables_names' } }
      : { via: 'command', argv: ['iptables-legacy-save', '-c'], when: { file: '/proc/net/ip_tables_names' } },
  limits: LIMITS.ruleset,
};

export const iptablesNft: Collector = {
  fact: 'iptables.nft',
  scope: 'namespace',
  how: ({ family, table }) => ({
    via: 'command',
    argv: [
      family === 6 ? 'ip6tables-nft-save' : 'iptables-nft-save',
      '-c',
      ...(table ? ['-t', iptablesTable(String(table))] : []),
    ],
    modules: { names: ['nf_tables'], without: { text: '' } },
  }),
  limits: LIMITS.ruleset,
};

/** One chain, where all of them at once were too much. */
export const iptablesChain: Collector = {
  fact: 'iptables.chain',
  scope: 'namespace',
  how: ({ family, table, chain }) => ({
    via: 'command',
    argv: [
      family === 6 ? 'ip6tables-nft' : 'iptables-nft',
      '-t',
      iptablesTable(String(table)),
      '-v',
      '-S',
      iptablesChainName(String(chain)),
    ],
    modules: { names: ['nf_tables'], without: { text: '' } },
  }),
  limits: LIMITS.ruleset,
};

export const nftTables: Collector = {
  fact: 'nft.tables',
  scope: 'namespace',
  how: () => ({
    via: 'command',
    argv: ['nft', '-j', 'list', 'tables'],
    modules: { names: ['nf_tables'], without: { text: NO_TABLES } },
  }),
  limits: LIMITS.ruleset,
};

export const nftTable: Collector = {
  fact: 'nft.table',
  scope: 'namespace',
  how: ({ family, name }) => ({
    via: 'command',
    argv: ['nft', '-j', 'list', 'table', nftFamily(String(family)), nftName(String(name))],
    modules: { names: ['nf_tables'], without: { text: NO_TABLES } },
  }),
  limits: LIMITS.ruleset,
};

export const nftChains: Collector = {
  fact: 'nft.chains',
  scope: 'namespace',
  how: () => ({
    via: 'command',
    argv: ['nft', '-a', 'list', 'chains'],
    modules: { names: ['nf_tables'], without: { text: '' } },
  }),
  limits: LIMITS.ruleset,
};

export const nftChain: Collector = {
  fact: 'nft.chain',
  scope: 'namespace',
  how: ({ family, name, chain }) => ({
    via: 'command',
    argv: ['nft', '-j', 'list', 'chain', nftFamily(String(family)), nftName(String(name)), nftName(String(chain))],
    modules: { names: ['nf_tables'], without: { text: NO_TABLES } },
  }),
  limits: LIMITS.ruleset,
};

export const nftSets: Collector = {
  fact: 'nft.sets',
  scope: 'namespace',
  how: ({ family, kind }) => ({
    via: 'command',
    argv: ['nft', '-j', 'list', kind === 'maps' ? 'maps' : 'sets', nftFamily(String(family))],
    modules: { names: ['nf_tables'], without: { text: NO_TABLES } },
  }),
  limits: LIMITS.ruleset,
};

/** What the JSON of some versions leaves out; asked for a table that has such. */
export const nftOutline: Collector = {
  fact: 'nft.outline',
  scope: 'namespace',
  how: ({ family, name }) => ({
    via: 'command',
    argv: ['nft', '-t', 'list', 'table', nftFamily(String(family)), nftName(String(name))],
    modules: { names: ['nf_tables'], without: { text: '' } },
  }),
  limits: LIMITS.ruleset,
};

export const ipsets: Collector = {
  fact: 'ipsets',
  scope: 'namespace',
  how: () => ({
    via: 'command',
    argv: ['ipset', 'save'],
    modules: { names: ['ip_set'], without: { text: '' } },
  }),
  limits: LIMITS.ruleset,
};

export const conntrackStatistics: Collector = {
  fact: 'conntrack.statistics',
  scope: 'namespace',
  how: () => ({
    via: 'files',
    root: 'netns',
    paths: [
      '/proc/net/stat/nf_conntrack',
      '/proc/sys/net/netfilter/nf_conntrack_count',
      '/proc/sys/net/netfilter/nf_conntrack_max',
    ],
  }),
  limits: LIMITS.files,
};

/** The question would load ip_vs; where it is loaded, its file is there. */
export const ipvs: Collector = {
  fact: 'ipvs',
  scope: 'namespace',
  how: () => ({ via: 'command', argv: ['ipvsadm', '-Sn'], when: { file: '/proc/net/ip_vs' } }),
  limits: LIMITS.ruleset,
};

/**
 * One connection, looked up in the kernel by what its first packet bore: `-L` with a filter would have the whole table
 * handed to the tool (seen with conntrack-tools 1.4.7). Where there is none the tool says so and exits with 1, without
 * output. It needs nf_conntrack_netlink, which the question would load.
 */
export const conntrack: Collector = {
  fact: 'conntrack',
  scope: 'namespace',
  how: ({ protocol, source, destination, sourcePort, destinationPort }) => ({
    via: 'command',
    argv: [
      'conntrack',
      '-G',
      '-p',
      conntrackProtocol(String(protocol)),
      '-s',
      addressOf(String(source)),
      '-d',
      addressOf(String(destination)),
      '--sport',
      portOf(sourcePort),
      '--dport',
      portOf(destinationPort),
    ],
    modules: { names: ['nf_conntrack_netlink'], without: { text: `${CTNETLINK_MISSING}\n` } },
  }),
  limits: LIMITS.common,
};

// An argument stands in an argv, never in a shell; still only what can be a name is passed on, so that none is read as an option or as nft's language.

function conntrackProtocol(protocol: string): string {
  if (!/^(tcp|udp|sctp)$/.test(protocol)) throw new RangeError(`no protocol: ${protocol}`);
  return protocol;
}

function portOf(value: Scalar | undefined): string {
  const port = Number(value);
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new RangeError(`no port: ${value}`);
  return String(port);
}

function addressOf(text: string): string {
  const address = parseAddress(text);
  if (address === undefined) throw new RangeError(`no address: ${text}`);
  return address;
}

function iptablesTable(table: string): string {
  if (!/^(raw|mangle|nat|filter|security|broute)$/.test(table)) throw new RangeError(`no iptables table: ${table}`);
  return table;
}

/** At most 28 characters (XT_EXTENSION_MAXNAMELEN), none of which makes an option or a negation of it. */
function iptablesChainName(chain: string): string {
  if (!/^[^\s!-]\S{0,27}$/.test(chain)) throw new RangeError(`no iptables chain: ${chain}`);
  return chain;
}

function nftFamily(family: string): string {
  if (!/^(ip|ip6|inet|arp|bridge|netdev)$/.test(family)) throw new RangeError(`no nftables family: ${family}`);
  return family;
}

function nftName(name: string): string {
  if (!/^[A-Za-z_][A-Za-z0-9_./-]*$/.test(name)) throw new RangeError(`no nftables name: ${name}`);
  return name;
}
