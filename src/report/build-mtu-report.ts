import type { Flow } from '../diagnose/derived.ts';
import type { Address } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Route } from '../parse/ip-route.ts';
import { type MtuReading, type SizeTally, type TooBig, totalsOf } from '../probe/mtu-search.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { devicesOfTrace } from './mtu-devices.ts';
import { limitFindings } from './mtu-limit.ts';
import type { MtuReport, MtuReportLearnt, MtuReportSearch, MtuReportTooBig, MtuReportWay } from './mtu-report.ts';
import { nameOfAddress } from './name-of-address.ts';
import { PROBE_SCHEMA } from './probe-report.ts';

export interface SearchSeen {
  readonly reading: MtuReading;
  readonly tallies: readonly SizeTally[];
  readonly tooBig: readonly TooBig[];
  readonly mss?: number;
  readonly gap?: string;
  /** The largest size that it could try. */
  readonly upToBytes: number;
}

/** One way that was searched, with the walk of a packet of the sender's full size. */
export interface MtuWaySeen {
  readonly flow: Flow;
  readonly from: Place;
  readonly sendingMtuBytes?: number;
  readonly icmp: SearchSeen;
  readonly tcp?: SearchSeen;
  /** What the sender's kernel keeps for the destination. */
  readonly learnt: { readonly before: readonly Route[]; readonly after: readonly Route[] };
}

export interface MtuSeen {
  readonly snapshot: Snapshot;
  readonly target: MtuReport['target'];
  /** First the way there; the way back where it could be probed. */
  readonly ways: readonly MtuWaySeen[];
  readonly far: { readonly address: Address; readonly source: Address };
  readonly created: readonly string[];
  readonly durationMs: number;
}

/** The report of `probe mtu`. */
export function buildMtuReport({ snapshot, target, ways, far, created, durationMs }: MtuSeen): MtuReport {
  const there = wayOf(snapshot, ways[0]!, 'there');
  const back = ways[1] ? wayOf(snapshot, ways[1], 'back') : unprobed(snapshot, far);
  const both = [there, back];
  const lost = both.filter((way) => way.reading === 'smaller' && way.isTold === false);
  const unknown = both.filter((way) => way.reading !== 'whole' && way.reading !== 'smaller');
  const verdict = lost.length > 0 ? 'failed' : unknown.length > 0 ? 'unknown' : 'answered';
  return {
    ...{ schema: PROBE_SCHEMA, kind: 'mtu', verdict, summary: `there ${wordsOf(there)}; back ${wordsOf(back)}` },
    ...{ ways: both, target, created, durationMs },
  };
}

function wordsOf({ reading, mtuBytes, isTold }: MtuReportWay): string {
  if (reading === 'whole') return `${mtuBytes} bytes, all that the sender’s device takes`;
  if (reading === 'smaller') return `${mtuBytes} bytes, and the sender is ${isTold ? '' : 'not '}told`;
  return { unanswered: 'nothing answers', unknown: 'not known', unprobed: 'not probed' }[reading];
}

function unprobed(snapshot: Snapshot, { address, source }: MtuSeen['far']): MtuReportWay {
  return {
    ...{ direction: 'back', from: endOf(snapshot, address), to: endOf(snapshot, source), reading: 'unprobed' },
    statement: `not probed: ${address} is no pod or node of this cluster, so nothing can be sent from there`,
    ...{ findings: [], searches: [], tooBig: [], devices: [], learnt: [] },
  };
}

function wayOf(snapshot: Snapshot, seen: MtuWaySeen, direction: MtuReportWay['direction']): MtuReportWay {
  const { flow, icmp, tcp, sendingMtuBytes } = seen;
  const { reading, isRoundTrip } = readingOf(seen);
  const tooBig = [...icmp.tooBig, ...(tcp?.tooBig ?? [])];
  const mtuBytes = 'mtuBytes' in reading ? reading.mtuBytes : undefined;
  const isTold = reading.is === 'smaller' ? tooBig.some((one) => tells(one, reading.mtuBytes)) : undefined;
  const told = tooBig.flatMap((one) => toldBy(snapshot, one));
  const learnt = learntOf(seen);
  const devices = devicesOfTrace(snapshot, flow.trip.forward);
  return {
    ...{ direction, from: endOf(snapshot, flow.source!), to: endOf(snapshot, flow.destination), reading: reading.is },
    ...(sendingMtuBytes === undefined ? {} : { sendingMtuBytes }),
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
    ...(isTold === undefined ? {} : { isTold }),
    statement: statementOf(reading, isRoundTrip, sendingMtuBytes),
    findings: [
      ...(reading.is === 'smaller'
        ? limitFindings({ flow, devices, mtuBytes: reading.mtuBytes, isTold: isTold === true, told })
        : []),
      ...learntFindings(learnt, reading),
    ],
    searches: [searchOf('icmp', icmp), ...(tcp ? [searchOf('tcp', tcp)] : [])],
    ...{ tooBig: [...new Map(told.map((one) => [one.from, one])).values()], devices, learnt },
    ...(tcp?.mss === undefined ? {} : { mssBytes: tcp.mss }),
  };
}

/**
 * SYNs are lost on the way there alone, and heed nothing learnt: what they say goes before what pings say. A ping's answer is as
 * long as the ping, so that a lost one says nothing of one way alone, unless somebody on the way said that it was too big.
 */
function readingOf({ icmp, tcp, sendingMtuBytes }: MtuWaySeen): { reading: MtuReading; isRoundTrip: boolean } {
  if (tcp && (tcp.reading.is === 'whole' || tcp.reading.is === 'smaller'))
    return { reading: tcp.reading, isRoundTrip: false };
  if (sendingMtuBytes === undefined)
    return { reading: { is: 'unknown', because: 'the sender’s own MTU was not seen' }, isRoundTrip: false };
  const { reading, upToBytes } = icmp;
  if (reading.is === 'whole' && upToBytes < sendingMtuBytes)
    return {
      reading: {
        is: 'unknown',
        because: `the sender’s kernel has learnt ${upToBytes} bytes for this destination and sends no larger ping; SYNs were not answered`,
      },
      isRoundTrip: false,
    };
  if (reading.is === 'smaller')
    return {
      reading,
      isRoundTrip: !icmp.tooBig.some(({ from, mtu }) => from !== undefined && mtu === reading.mtuBytes),
    };
  return { reading, isRoundTrip: false };
}

/** A word of a larger MTU than passes tells the sender nothing of the rest. */
function tells({ from, mtu }: TooBig, mtuBytes: number): boolean {
  return mtu === undefined || (from !== undefined && mtu <= mtuBytes);
}

function statementOf(reading: MtuReading, isRoundTrip: boolean, sendingMtuBytes: number | undefined): string {
  switch (reading.is) {
    case 'whole':
      return `packets of ${reading.mtuBytes} bytes pass: the MTU of the sender’s device and route`;
    case 'smaller':
      return isRoundTrip
        ? `pings of ${reading.mtuBytes} bytes are answered, larger ones never (the device takes ${sendingMtuBytes}); their answers are as long, so that this way or the other one is it`
        : `packets of ${reading.mtuBytes} bytes pass, those of ${reading.mtuBytes + 1} never (the device takes ${sendingMtuBytes})`;
    case 'unanswered':
      return 'not known: small packets have no answer either, by ping or SYN';
    case 'unknown':
      return `not known: ${reading.because}`;
  }
}

function searchOf(by: MtuReportSearch['by'], { reading, tallies, gap, upToBytes }: SearchSeen): MtuReportSearch {
  const mtuBytes = 'mtuBytes' in reading ? reading.mtuBytes : undefined;
  const sizes = [...totalsOf(tallies).values()].map(({ sizeBytes, sent, answered }) => ({ sizeBytes, sent, answered }));
  const sent = sizes.reduce((sum, one) => sum + one.sent, 0);
  const said = {
    whole: `${mtuBytes} bytes, the largest that was tried (of ${upToBytes}), pass`,
    smaller: `${mtuBytes} bytes pass, ${(mtuBytes ?? 0) + 1} do not`,
    unanswered: 'small packets have no answer',
    unknown: `not known: ${gap ?? ('because' in reading ? reading.because : 'nothing was sent')}`,
  }[reading.is];
  return {
    ...{ by, reading: reading.is, statement: `${said}; ${sent} packets of ${sizes.length} sizes`, sizes },
    ...(mtuBytes === undefined ? {} : { mtuBytes }),
  };
}

function toldBy(snapshot: Snapshot, { from, mtu }: TooBig): MtuReportTooBig[] {
  if (from === undefined) return [];
  const name = nameOfAddress(snapshot, from);
  return [{ from, ...(name === undefined ? {} : { name }), ...(mtu === undefined ? {} : { mtuBytes: mtu }) }];
}

function learntOf({ learnt: { before, after } }: MtuWaySeen): readonly MtuReportLearnt[] {
  const wordOf = ({ mtu, expiresS }: Route, since: MtuReportLearnt['since']): MtuReportLearnt => ({
    ...{ mtuBytes: mtu!, since },
    ...(expiresS === undefined ? {} : { expiresS }),
  });
  const known = before.map((one) => wordOf(one, 'before'));
  const fresh = after.filter(({ mtu }) => !before.some((one) => one.mtu === mtu));
  return [...known, ...fresh.map((one) => wordOf(one, 'probe'))];
}

/** A learnt MTU is the sender's memory and not the path. */
function learntFindings(learnt: readonly MtuReportLearnt[], reading: MtuReading): string[] {
  const mtuBytes = 'mtuBytes' in reading ? reading.mtuBytes : undefined;
  return learnt.map(({ mtuBytes: kept, expiresS, since }) => {
    const until = expiresS === undefined ? '' : ` for another ${expiresS} s`;
    if (since === 'probe')
      return `by this probe the sender’s kernel has learnt ${kept} bytes for this destination and keeps it${until}, as it would from anybody’s large packet`;
    const judged =
      mtuBytes === undefined
        ? 'whether the path has more is not known'
        : kept < mtuBytes
          ? `the path has ${mtuBytes}: what it has learnt is too small, and all it sends there is cut to that`
          : 'which is the path’s';
    return `the sender’s kernel keeps ${kept} bytes for this destination${until}: ${judged}`;
  });
}

function endOf(snapshot: Snapshot, address: Address): string {
  const name = nameOfAddress(snapshot, address);
  return name === undefined ? address : `${name} ${address}`;
}
