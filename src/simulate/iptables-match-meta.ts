import type { IptablesMatch } from '../parse/iptables-save.ts';
import { compileRpfilter } from './iptables-match-rpfilter.ts';
import {
  type Evaluator,
  firstValue,
  type ModuleTable,
  maskedValue,
  numberOf,
  optionNamed,
  perOption,
  undecidable,
} from './iptables-match-types.ts';
import { compileU32 } from './iptables-match-u32.ts';
import { truth } from './truth.ts';

/** Modules about what the kernel keeps beside the packet, about chance, and about memory of earlier packets. */
export const META_MODULES: ModuleTable = {
  mark: perOption({
    mark: (option) => {
      const wanted = maskedValue(firstValue(option));
      return wanted && (({ meta }) => truth((meta.mark & wanted.mask) >>> 0 === wanted.value));
    },
  }),
  statistic: compileStatistic,
  recent: compileRecent,
  rpfilter: compileRpfilter,
  u32: compileU32,
  quota: compileQuota,
  nfacct: compileNfacct,
  // Buckets, clocks and programs are not part of what is collected.
  limit: undecidable('limit', 'limit-burst'),
  hashlimit: undecidable(
    'hashlimit',
    'hashlimit-upto',
    'hashlimit-above',
    'hashlimit-burst',
    'hashlimit-mode',
    'hashlimit-name',
    'hashlimit-htable-size',
    'hashlimit-htable-max',
    'hashlimit-htable-expire',
    'hashlimit-htable-gcinterval',
    'hashlimit-srcmask',
    'hashlimit-dstmask',
    'hashlimit-rate-match',
    'hashlimit-rate-interval',
  ),
  rateest: undecidable(
    ...['rateest', 'rateest1', 'rateest2', 'rateest-delta', 'rateest-lt', 'rateest-gt', 'rateest-eq'],
    ...['rateest-bps', 'rateest-bps1', 'rateest-bps2', 'rateest-pps', 'rateest-pps1', 'rateest-pps2'],
  ),
  time: undecidable(
    ...['timestart', 'timestop', 'datestart', 'datestop', 'monthdays', 'weekdays', 'kerneltz', 'utc', 'localtz'],
    'contiguous',
  ),
  string: undecidable('string', 'hex-string', 'algo', 'from', 'to', 'icase'),
  bpf: undecidable('bytecode', 'object-pinned'),
  osf: undecidable('genre', 'ttl', 'log'),
  cpu: undecidable('cpu'),
  cluster: undecidable('cluster-total-nodes', 'cluster-local-node', 'cluster-local-nodemask', 'cluster-hash-seed'),
  ipvs: undecidable('ipvs', 'vproto', 'vaddr', 'vport', 'vdir', 'vmethod', 'vportctl'),
  l2tp: undecidable('tid', 'sid', 'pversion', 'type'),
  // Realms of routes and transformations (xfrm) are not collected.
  realm: undecidable('realm'),
  policy: undecidable(...['dir', 'pol', 'strict', 'reqid', 'spi', 'proto', 'mode', 'tunnel-src', 'tunnel-dst', 'next']),
};

/** random: the chance itself; nth: one in `every`, as the counter's place is not known (xt_statistic.c). */
function compileStatistic(match: IptablesMatch): Evaluator | undefined {
  const mode = optionNamed(match, 'mode')?.values[0];
  const main = optionNamed(match, mode === 'random' ? 'probability' : 'every');
  const value = Number(main?.values[0]);
  if (!main || (mode !== 'random' && mode !== 'nth') || !Number.isFinite(value)) return undefined;
  const plain = mode === 'random' ? value : value > 0 ? 1 / value : Number.NaN;
  if (!(plain >= 0 && plain <= 1)) return undefined;
  const probability = main.negated ? 1 - plain : plain;
  if (probability === 1) return () => 'yes';
  return probability === 0 ? () => 'no' : () => ({ probability });
}

/** `--set` writes and always matches (xt_recent.c); what the list holds is not read, so the rest is undecided. */
function compileRecent(match: IptablesMatch): Evaluator | undefined {
  const set = optionNamed(match, 'set');
  if (set) return () => (set.negated ? 'no' : 'yes');
  return match.options.some((option) => ['rcheck', 'update', 'remove'].includes(option.name))
    ? () => 'unknown'
    : undefined;
}

/**
 * Matches while the packet's bytes are left (xt_quota.c). What is printed is what there was at first, so that only a packet
 * larger than the whole is decided.
 */
function compileQuota(match: IptablesMatch): Evaluator | undefined {
  const quota = optionNamed(match, 'quota');
  const bytes = numberOf(quota?.values[0]);
  if (!quota || bytes === undefined || match.options.length !== 1) return undefined;
  return ({ packet }) => (packet.lengthBytes > bytes ? (quota.negated ? 'yes' : 'no') : 'unknown');
}

/** Counters that kube-proxy keeps (pkg/proxy/metrics); it makes them without a quota. */
const WITHOUT_QUOTA = new Set(['ct_state_invalid_dropped_pkts', 'localhost_nps_accepted_pkts']);

/** Counts, and matches; with a quota only once that is exceeded (xt_nfacct.c), and which it is the rule does not say. */
function compileNfacct(match: IptablesMatch): Evaluator | undefined {
  const name = optionNamed(match, 'nfacct-name')?.values[0];
  if (name === undefined || match.options.length !== 1) return undefined;
  return () => (WITHOUT_QUOTA.has(name) ? 'yes' : 'unknown');
}
