import type { Meta } from '../net/packet.ts';
import { touchedSet } from './iptables-match-set.ts';
import { hasConnection, maskedValue, numberOf } from './iptables-match-types.ts';
import { compileHmark } from './iptables-target-hmark.ts';
import {
  CONTINUE,
  constant,
  masked,
  onlyOptions,
  type TargetEvaluator,
  type TargetOptions,
  type TargetTable,
  UNMODELLED,
} from './iptables-target-types.ts';

/** Targets that write what is kept beside the packet: marks, the connection's template, sets. */
export const MARK_TARGETS: TargetTable = {
  MARK: compileMark,
  CONNMARK: compileConnmark,
  CT: compileCt,
  NOTRACK: () => NOTRACK_FIRST,
  SET: compileSet,
  HMARK: compileHmark,
};

type Change = { readonly value: number; readonly mask: number };

/** xt_MARK.c. iptables-save prints every form as --set-xmark; the others are for rules typed by hand (libxt_MARK.c). */
function compileMark(options: TargetOptions): TargetEvaluator | undefined {
  const [name, values] = [...options][0] ?? [];
  const change = options.size === 1 ? markChange(name!, values?.[0]) : undefined;
  return change && (({ meta }) => ({ kind: 'continue', meta: { ...meta, mark: masked(meta.mark, change) } }));
}

function markChange(name: string, text: string | undefined): Change | undefined {
  const wanted = maskedValue(text);
  if (!wanted) return undefined;
  switch (name) {
    case 'set-xmark':
      return wanted;
    case 'set-mark':
      return { value: wanted.value, mask: (wanted.value | wanted.mask) >>> 0 };
    case 'and-mark':
      return { value: 0, mask: ~wanted.value >>> 0 };
    case 'or-mark':
      return { value: wanted.value, mask: wanted.value };
    case 'xor-mark':
      return { value: wanted.value, mask: 0 };
    default:
      return undefined;
  }
}

/** xt_connmark.c: the mark is masked, shifted, and put in place of the other's masked bits. Without a connection nothing. */
function compileConnmark(options: TargetOptions): TargetEvaluator | undefined {
  const shift = shiftOf(options);
  if (!shift) return undefined;
  for (const [name, values] of options) {
    const change = markChange(name, values[0]);
    if (change) return onConnection((meta) => ({ ...meta, connmark: shift(masked(meta.connmark, change)) }));
  }
  const both = options.get('mask')?.[0];
  const nfmask = maskOf(options.get('nfmask')?.[0] ?? both);
  const ctmask = maskOf(options.get('ctmask')?.[0] ?? both);
  if (nfmask === undefined || ctmask === undefined) return undefined;
  if (options.has('save-mark')) {
    return onConnection((meta) => ({
      ...meta,
      connmark: masked(meta.connmark, { value: shift((meta.mark & nfmask) >>> 0), mask: ctmask }),
    }));
  }
  if (!options.has('restore-mark')) return undefined;
  return onConnection((meta) => ({
    ...meta,
    mark: masked(meta.mark, { value: shift((meta.connmark & ctmask) >>> 0), mask: nfmask }),
  }));
}

function shiftOf(options: TargetOptions): ((mark: number) => number) | undefined {
  const left = options.get('left-shift-mark')?.[0];
  const right = options.get('right-shift-mark')?.[0];
  const places = left ?? right;
  if (places === undefined) return (mark) => mark;
  const number = numberOf(places);
  if (number === undefined || number > 31) return undefined;
  return left === undefined ? (mark) => mark >>> number : (mark) => (mark << number) >>> 0;
}

function maskOf(text: string | undefined): number | undefined {
  return text === undefined ? 0xffff_ffff : numberOf(text);
}

function onConnection(change: (meta: Meta) => Meta): TargetEvaluator {
  return (input) => (hasConnection(input) ? { kind: 'continue', meta: change(input.meta) } : CONTINUE);
}

const NOTRACK = { kind: 'continue', notrack: true, template: true } as const;
const TEMPLATE = { kind: 'continue', template: true } as const;

/** Only the first of CT and NOTRACK counts, and none on a packet that has its connection already (xt_ct_target in xt_CT.c). */
function onFirst(effect: TargetEvaluator): TargetEvaluator {
  return (input) => {
    const { conntrack, zone } = input.meta;
    // A zone is of a template that an earlier rule set has given it.
    return conntrack === 'none' && zone === 0 && !input.hasTemplate ? effect(input) : CONTINUE;
  };
}

const NOTRACK_FIRST = onFirst(constant(NOTRACK));

/** Helpers, events and time-outs do not change the way, but the template that bears them is the packet's. */
function compileCt(options: TargetOptions): TargetEvaluator | undefined {
  if (options.has('notrack')) return NOTRACK_FIRST;
  if (!onlyOptions(options, 'helper', 'timeout', 'ctevents', 'expevents', 'zone', 'zone-orig', 'zone-reply')) {
    return undefined;
  }
  const zones = ['zone', 'zone-orig', 'zone-reply'].filter((name) => options.has(name));
  if (zones.length === 0) return onFirst(constant(TEMPLATE));
  const text = options.get(zones[0]!)?.[0];
  const fixed = numberOf(text);
  if (zones.length > 1 || (fixed === undefined && text !== 'mark')) return undefined;
  const direction = { zone: undefined, 'zone-orig': 'original', 'zone-reply': 'reply' }[
    zones[0]!
  ] as Meta['zoneDirection'];
  return onFirst(({ meta }) => {
    // The mark's low bits, as they are when the connection is sought; no later rule of the raw table is looked for.
    const zone = fixed ?? meta.mark & 0xffff;
    return { ...TEMPLATE, meta: { ...meta, zone, ...(direction === undefined ? {} : { zoneDirection: direction }) } };
  });
}

/** Adds the packet to a set or takes it out: what a later rule finds in it is then not what was collected (xt_set.c). */
function compileSet(options: TargetOptions): TargetEvaluator | undefined {
  const written = options.get('add-set')?.[0] ?? options.get('del-set')?.[0];
  if (written !== undefined) return constant({ kind: 'continue', touched: touchedSet(written) });
  // Only a mark that an entry gives is seen by rules.
  if (options.has('map-set')) return constant(options.has('map-mark') ? UNMODELLED : CONTINUE);
  return undefined;
}
