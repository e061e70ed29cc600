import type { IptablesMatch } from '../parse/iptables-save.ts';
import type { HookInput } from './hook.ts';
import { statusOf } from './iptables-match-conntrack.ts';
import {
  type Evaluator,
  firstValue,
  guarded,
  hasConnection,
  type ModuleTable,
  maskedValue,
  numberOf,
  optionNamed,
  perOption,
} from './iptables-match-types.ts';
import { readSysctl } from './sysctl.ts';
import type { Truth } from './trace.ts';
import { not, truth } from './truth.ts';

/** Modules about what is kept with a connection beside its tuples: mark, label, counters, helper, number of connections. */
export const CONNECTION_MODULES: ModuleTable = {
  // connmark_mt: without a connection no match, negated or not.
  connmark: guarded(
    (input) => truth(hasConnection(input)),
    perOption({
      mark: (option) => {
        const wanted = maskedValue(firstValue(option));
        return wanted && (({ meta }) => truth((meta.connmark & wanted.mask) >>> 0 === wanted.value));
      },
    }),
  ),
  connlabel: compileConnlabel,
  connbytes: compileConnbytes,
  connlimit: compileConnlimit,
  // helper_mt: only a connection that another one announced has the helper of that one; its absence can be negated.
  helper: perOption({
    helper: (option) => (firstValue(option) === undefined ? undefined : (input) => hasMaster(input)),
  }),
};

function hasMaster(input: HookInput): Truth {
  if (!hasConnection(input)) return 'no';
  return statusOf(input, 'expected') === 'no' ? 'no' : 'unknown';
}

/** `--set` writes the label and then matches; which labels a connection has is not read (xt_connlabel.c). */
function compileConnlabel(match: IptablesMatch): Evaluator | undefined {
  const label = optionNamed(match, 'label');
  const sets = match.options.some((option) => option.name === 'set');
  if (!label || match.options.some((option) => option.name !== 'label' && option.name !== 'set')) return undefined;
  return (input) => {
    const has: Truth = !hasConnection(input) ? 'no' : sets ? 'yes' : 'unknown';
    return label.negated ? not(has) : has;
  };
}

/** A limit that every connection exceeds, its own first packet being one (xt_connlimit.c); else the count is not known. */
function compileConnlimit(match: IptablesMatch): Evaluator | undefined {
  const known = new Set(['connlimit-upto', 'connlimit-above', 'connlimit-mask', 'connlimit-saddr', 'connlimit-daddr']);
  if (match.options.some((option) => !known.has(option.name))) return undefined;
  const above = optionNamed(match, 'connlimit-above');
  const limit = numberOf((above ?? optionNamed(match, 'connlimit-upto'))?.values[0]);
  if (limit === undefined) return undefined;
  if (limit > 0) return () => 'unknown';
  return () => truth(above !== undefined);
}

interface Connbytes {
  readonly from: number;
  readonly to: number;
  readonly negated: boolean;
  readonly direction: string;
  readonly mode: string;
}

const UNLIMITED = Number.POSITIVE_INFINITY;

/**
 * Counters of the connection (xt_connbytes.c). Without nf_conntrack_acct there are none, and no match, negated or not; of
 * a connection that begins with this packet they are the packet's own.
 */
function compileConnbytes(match: IptablesMatch): Evaluator | undefined {
  const wanted = connbytesOf(match);
  return (
    wanted &&
    ((input) => {
      if (!hasConnection(input)) return 'no';
      if (input.meta.conntrack !== 'new' || statusOf(input, 'confirmed') !== 'no') return 'unknown';
      const accounting = readSysctl(input.snapshot, input.place, 'net.netfilter.nf_conntrack_acct');
      if (accounting.state !== 'seen') return 'unknown';
      return accounting.value > 0 ? inCounters(wanted, input.packet.lengthBytes) : 'no';
    })
  );
}

function inCounters({ from, to, negated, direction, mode }: Connbytes, lengthBytes: number): Truth {
  const mine = mode === 'packets' ? 1 : lengthBytes;
  const value = direction === 'reply' ? 0 : mine;
  // iptables-save leaves out an upper end of 0: `0` may have been `0:0` (connbytes_save in libxt_connbytes.c).
  if (from === 0 && to === UNLIMITED && !negated && value > 0) return 'unknown';
  return truth((value >= from && value <= to) !== negated);
}

/** `N` and `N:` are from N up, `N:M` both included. */
function connbytesOf(match: IptablesMatch): Connbytes | undefined {
  const range = optionNamed(match, 'connbytes');
  const direction = optionNamed(match, 'connbytes-dir')?.values[0];
  const mode = optionNamed(match, 'connbytes-mode')?.values[0];
  const ends = /^(?<from>\d+)(?::(?<to>\d*))?$/.exec(range?.values[0] ?? '')?.groups;
  if (!range || !ends || !['original', 'reply', 'both'].includes(direction ?? '')) return undefined;
  if (!['packets', 'bytes', 'avgpkt'].includes(mode ?? '') || match.options.length !== 3) return undefined;
  return {
    from: Number(ends.from),
    to: ends.to ? Number(ends.to) : UNLIMITED,
    negated: range.negated,
    direction: direction!,
    mode: mode!,
  };
}
