import type { Family } from '../net/address.ts';
import { parseBridgeFdb } from '../parse/bridge-fdb.ts';
import { parseBridgeVlan } from '../parse/bridge-vlan.ts';
import { parseCniConfiguration, parseCniFiles } from '../parse/cni-conf.ts';
import { parseConntrackStatistics } from '../parse/conntrack.ts';
import { CTNETLINK_MISSING, parseConntrackList } from '../parse/conntrack-list.ts';
import { parseCounters } from '../parse/counters.ts';
import { parseFlannelSubnet } from '../parse/flannel-subnet.ts';
import { parseHostsFile } from '../parse/hosts-file.ts';
import { parseIpLink } from '../parse/ip-link.ts';
import { parseIpNeigh } from '../parse/ip-neigh.ts';
import { parseIpNexthop } from '../parse/ip-nexthop.ts';
import { parseIpRoute } from '../parse/ip-route.ts';
import { parseIpRule } from '../parse/ip-rule.ts';
import { parseIpset } from '../parse/ipset.ts';
import { parseIptablesList } from '../parse/iptables-list.ts';
import { parseIptablesSave, parseIptablesSaveBytes } from '../parse/iptables-save.ts';
import { parseIpvsadm } from '../parse/ipvsadm.ts';
import { parseKernel, parseKernelLog } from '../parse/kernel.ts';
import { parseNameService } from '../parse/name-service.ts';
import { parseNftChainList } from '../parse/nft-chain-list.ts';
import { parseNftJson, parseNftTables } from '../parse/nft-json.ts';
import { parseNftOutline } from '../parse/nft-outline.ts';
import type { Parsed } from '../parse/parsed.ts';
import { parseQdisc } from '../parse/qdisc.ts';
import { parseResolvConf } from '../parse/resolv-conf.ts';
import { parseSandboxes } from '../parse/sandboxes.ts';
import { parseSoftnet } from '../parse/softnet.ts';
import { parseSs } from '../parse/ss.ts';
import { parseSysctls } from '../parse/sysctls.ts';
import { parseTcFilters } from '../parse/tc-filters.ts';
import { parseWireguard } from '../parse/wireguard.ts';
import type { FactArgs, FactName, Facts } from './facts.ts';
import { type ObjectFacts, parseAccess, parseObjects, parseVersion } from './objects-schema.ts';
import type { ProbeFacts } from './probe-answers.ts';
import { parseProbeAnswer } from './probe-answers-schema.ts';

/** A reply that holds no value at all; the fact is then unseen. */
export interface Unreadable {
  readonly unreadable: string;
}

/** From a reply's text, the arguments it was asked with and the tool that gave it, to the fact's value. Never throws. */
export type FactParser<K extends FactName> = (
  text: string,
  args: FactArgs,
  tool: string,
) => Parsed<Facts[K]> | Unreadable;

/** One parser for each fact; a fact without one does not compile. */
export const FACT_PARSERS: { readonly [K in FactName]: FactParser<K> } = {
  'api.version': (text) => whole(parseVersion(text)),
  'api.access': (text) => parseAccess(text) ?? { unreadable: 'not a list of access answers' },
  'api.pods': objects('api.pods'),
  'api.nodes': objects('api.nodes'),
  'api.namespaces': objects('api.namespaces'),
  'api.services': objects('api.services'),
  'api.endpointslices': objects('api.endpointslices'),
  'api.networkpolicies': objects('api.networkpolicies'),
  'api.daemonsets': objects('api.daemonsets'),
  'api.deployments': objects('api.deployments'),
  'api.workloads': objects('api.workloads'),
  'api.configmaps': objects('api.configmaps'),
  'api.events': objects('api.events'),
  'api.log': (text) => ({ value: text, unparsed: [] }),
  kernel: parseKernel,
  'kernel-log': parseKernelLog,
  sandboxes: parseSandboxes,
  softnet: parseSoftnet,
  'cni-configuration': parseCniConfiguration,
  'cni-files': parseCniFiles,
  'flannel-subnet': parseFlannelSubnet,
  links: parseIpLink,
  routes: (text, args) => parseIpRoute(text, familyArg(args)),
  'route-exceptions': (text, args) => parseIpRoute(text, familyArg(args)),
  rules: (text, args) => parseIpRule(text, familyArg(args)),
  nexthops: parseIpNexthop,
  neighbours: parseIpNeigh,
  fdb: parseBridgeFdb,
  'bridge-vlans': parseBridgeVlan,
  sysctls: parseSysctls,
  'iptables.legacy': parseIptablesSave,
  'iptables.nft': parseIptablesSave,
  'iptables.chain': (text, args) => parseIptablesList(text, String(args.table)),
  'nft.tables': parseNftTables,
  'nft.outline': parseNftOutline,
  'nft.table': (text, args) => parseNftJson(text, { terse: args.terse === true }),
  'nft.chains': parseNftChainList,
  'nft.chain': (text) => parseNftJson(text),
  'nft.sets': (text) => parseNftJson(text),
  ipsets: parseIpset,
  // The node side names the modules without which ss asks in another way.
  sockets: (text, _args, tool) => parseSs(text, { byProc: tool.includes('not loaded') }),
  'conntrack.statistics': parseConntrackStatistics,
  conntrack: (text) =>
    text.startsWith(CTNETLINK_MISSING) ? { unreadable: CTNETLINK_MISSING } : parseConntrackList(text),
  ipvs: parseIpvsadm,
  counters: parseCounters,
  qdiscs: parseQdisc,
  'tc-filters': parseTcFilters,
  wireguard: parseWireguard,
  'resolv-conf': parseResolvConf,
  'hosts-file': parseHostsFile,
  'name-service': parseNameService,
  'probe.tcp': probe('probe.tcp'),
  'probe.udp': probe('probe.udp'),
  'probe.icmp': probe('probe.icmp'),
  'probe.syn': probe('probe.syn'),
  'probe.dns': probe('probe.dns'),
  'probe.lookup': probe('probe.lookup'),
};

/** Facts that may be many megabytes are read from their bytes: as one string they would be held twice. */
export const BYTES_PARSERS: { readonly [K in FactName]?: (raw: Uint8Array) => Parsed<Facts[K]> } = {
  'iptables.legacy': (raw) => parseIptablesSaveBytes(raw),
  'iptables.nft': (raw) => parseIptablesSaveBytes(raw),
};

function objects<K extends keyof ObjectFacts>(name: K): (text: string) => Parsed<readonly ObjectFacts[K][]> {
  return (text) => parseObjects(name, text);
}

function probe<K extends keyof ProbeFacts>(name: K): (text: string) => Parsed<ProbeFacts[K]> | Unreadable {
  return (text) => whole(parseProbeAnswer(name, text));
}

function whole<T>(value: T | undefined): Parsed<T> | Unreadable {
  return value === undefined ? { unreadable: 'the answer has not the form of this fact' } : { value, unparsed: [] };
}

function familyArg(args: FactArgs): Family {
  return args.family === 6 ? 6 : 4;
}
