import type { Address } from '../net/address.ts';

/** What became of the packets of one size, which may not be fragmented. */
export interface SizeTally {
  /** Of the whole IP packet. */
  readonly sizeBytes: number;
  readonly sent: number;
  readonly answered: number;
  /** ICMP that said the packet is too big; without `from` the sender's own kernel refused it. */
  readonly tooBig: readonly TooBig[];
}

export interface TooBig {
  readonly from?: Address;
  readonly mtu?: number;
}

export interface MtuBounds {
  /** Surely fits every link. */
  readonly leastBytes: number;
  /** What the sender's own device takes. */
  readonly mostBytes: number;
  /** Sizes worth a try before others: the MTUs of the devices on the way. */
  readonly likely?: readonly number[];
  /** Tries after which a size counts as lost; default TRIES_MIN. */
  readonly triesMin?: number;
}

/** What a search says of one way. */
export type MtuReading =
  /** Packets of the device's own MTU pass. */
  | { readonly is: 'whole'; readonly mtuBytes: number }
  /** This size passes, and a byte more never did. */
  | { readonly is: 'smaller'; readonly mtuBytes: number }
  /** Small packets have no answer either. */
  | { readonly is: 'unanswered' }
  | { readonly is: 'unknown'; readonly because: string };

/** Sizes tried at the same time. */
const AT_ONCE = 16;
/** A size counts as lost, and the search as ended, only after so many tries: one lost packet is not an MTU. */
export const TRIES_MIN = 8;
/** How likely it may be that chance alone lost every try of a size. */
const CHANCE_MAX = 0.01;
/** More rounds than a search needs: 64 KiB are down to one byte after four. */
export const ROUNDS_MAX = 10;

/** The sizes to try next; none where nothing is left to find out. The same tallies give the same sizes. */
export function nextSizes(tried: readonly SizeTally[], bounds: MtuBounds): readonly number[] {
  const { leastBytes, mostBytes, triesMin = TRIES_MIN } = bounds;
  const totals = totalsOf(tried);
  if (totals.size === 0) return firstSizes(bounds);
  const small = totals.get(leastBytes);
  if (!small || small.answered === 0) return sentOf(small) < triesMin ? [leastBytes] : [];
  const { passes, lost, odd } = borders(totals);
  if (passes === mostBytes) return [];
  const unsure = odd.filter((size) => sentOf(totals.get(size)) < triesMin);
  if (unsure.length > 0) return unsure.slice(0, AT_ONCE);
  if (lost === undefined) return [mostBytes];
  const told = toldSizes(totals, passes, lost);
  if (told.length > 0) return told;
  if (lost - passes > 1) return between(passes, lost, AT_ONCE);
  const isSure = sentOf(totals.get(passes)) >= triesMin && sentOf(totals.get(lost)) >= triesMin;
  return isSure ? [] : [passes, lost];
}

export function readSizes(tried: readonly SizeTally[], { leastBytes, mostBytes }: MtuBounds): MtuReading {
  const totals = totalsOf(tried);
  const small = totals.get(leastBytes);
  if (sentOf(small) === 0) return { is: 'unknown', because: 'nothing could be sent' };
  if (small!.answered === 0) return { is: 'unanswered' };
  const { passes, lost, odd } = borders(totals);
  if (passes === mostBytes) return { is: 'whole', mtuBytes: passes };
  if (odd.length > 0)
    return {
      is: 'unknown',
      because: `packets of ${odd[0]} bytes are lost and larger ones, up to ${passes} bytes, pass: it is not their size alone`,
    };
  if (lost !== passes + 1) return { is: 'unknown', because: 'the search did not come to its end' };
  const fitting = [...totals.values()].filter(({ sizeBytes }) => sizeBytes <= passes);
  const loss = 1 - sum(fitting, 'answered') / sum(fitting, 'sent');
  const beyond = [...totals.values()].filter(({ sizeBytes }) => sizeBytes > passes);
  if (loss ** sentOf(totals.get(lost)) > CHANCE_MAX)
    return {
      is: 'unknown',
      because: `of packets that fit ${Math.round(loss * 100)} % are lost as well, so that ${sum(beyond, 'sent')} lost larger ones may be chance`,
    };
  return { is: 'smaller', mtuBytes: passes };
}

/** Every ICMP that said so, by its sender and MTU, each once. */
export function tooBigOf(tried: readonly SizeTally[]): readonly TooBig[] {
  const all = tried.flatMap(({ tooBig }) => tooBig);
  return [...new Map(all.map((one) => [`${one.from ?? ''} ${one.mtu ?? ''}`, one])).values()];
}

/** All tallies of one size together, smallest first. */
export function totalsOf(tried: readonly SizeTally[]): ReadonlyMap<number, SizeTally> {
  const totals = new Map<number, SizeTally>();
  for (const one of tried.toSorted((a, b) => a.sizeBytes - b.sizeBytes)) {
    const former = totals.get(one.sizeBytes);
    totals.set(one.sizeBytes, {
      sizeBytes: one.sizeBytes,
      sent: one.sent + sentOf(former),
      answered: one.answered + (former?.answered ?? 0),
      tooBig: tooBigOf(former ? [former, one] : [one]),
    });
  }
  return totals;
}

/** The largest size that passes, the smallest one beyond that does not, and those that do not though larger ones do. */
function borders(totals: ReadonlyMap<number, SizeTally>) {
  const all = [...totals.values()].filter(({ sent }) => sent > 0);
  const passes = Math.max(...all.filter(({ answered }) => answered > 0).map(({ sizeBytes }) => sizeBytes));
  const silent = all.filter(({ answered }) => answered === 0).map(({ sizeBytes }) => sizeBytes);
  return {
    passes,
    lost: silent.find((size) => size > passes),
    odd: silent.filter((size) => size < passes),
  };
}

function firstSizes({ leastBytes, mostBytes, likely = [] }: MtuBounds): readonly number[] {
  if (leastBytes >= mostBytes) return [mostBytes];
  const inside = likely.filter((size) => size > leastBytes && size < mostBytes).slice(0, AT_ONCE / 2);
  const rest = between(leastBytes, mostBytes, Math.max(0, AT_ONCE - 2 - inside.length));
  return sorted([leastBytes, mostBytes, ...inside, ...rest]);
}

/** What an ICMP error says is taken for a hint: that size and a byte more are tried. */
function toldSizes(totals: ReadonlyMap<number, SizeTally>, passes: number, lost: number): readonly number[] {
  const mtus = tooBigOf([...totals.values()]).flatMap(({ mtu }) => (mtu === undefined ? [] : [mtu]));
  const hinted = mtus.flatMap((mtu) => [mtu, mtu + 1]).filter((size) => size > passes && size < lost);
  return sorted(hinted).slice(0, AT_ONCE);
}

/** Sizes between two, the same distance from each other. */
function between(low: number, high: number, count: number): readonly number[] {
  const steps = Math.min(count, high - low - 1);
  return sorted(Array.from({ length: steps }, (_, at) => low + Math.round(((high - low) * (at + 1)) / (steps + 1))));
}

function sorted(sizes: readonly number[]): readonly number[] {
  return [...new Set(sizes)].sort((a, b) => a - b);
}

function sentOf(tally: SizeTally | undefined): number {
  return tally?.sent ?? 0;
}

function sum(tallies: readonly SizeTally[], of: 'sent' | 'answered'): number {
  return tallies.reduce((total, one) => total + one[of], 0);
}
