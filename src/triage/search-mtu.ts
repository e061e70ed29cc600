import type { Request } from '../host/host.ts';
import { type Address, familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import {
  type MtuBounds,
  type MtuReading,
  nextSizes,
  ROUNDS_MAX,
  readSizes,
  type SizeTally,
  type TooBig,
  tooBigOf,
} from '../probe/mtu-search.ts';
import type { Run } from './run.ts';

/** Whom to send to, by what, from where. */
export interface SearchWay {
  readonly by: 'icmp' | 'tcp';
  readonly from: Place;
  readonly source: Address;
  readonly destination: Address;
  /** TCP: open or not, it answers. */
  readonly port: number;
}

export interface Searched {
  readonly reading: MtuReading;
  readonly tallies: readonly SizeTally[];
  readonly tooBig: readonly TooBig[];
  /** TCP: that the other end asks for. */
  readonly mss?: number;
  /** Why nothing could be sent. */
  readonly gap?: string;
}

const TRIES = 4;
const INTERVAL_MS = 100;
const TIMEOUT_MS = 1_000;
/** IP and ICMP header. */
const PING_HEADER_BYTES = { 4: 28, 6: 48 } as const;

/** Searches one way, in rounds of sizes that are sent at the same time. `first`: the sizes of the first rounds. */
export async function searchMtu(
  run: Run,
  way: SearchWay,
  bounds: MtuBounds,
  signal: AbortSignal,
  first: readonly (readonly number[])[] = [],
): Promise<Searched> {
  const tallies: SizeTally[] = [];
  let mss: number | undefined;
  let gap: string | undefined;
  for (let round = 0; round < ROUNDS_MAX && !signal.aborted; round++) {
    const sizes = first[round] ?? nextSizes(tallies, bounds);
    if (sizes.length === 0) break;
    const requests = sizes.map((sizeBytes) => requestOf(way, sizeBytes, round));
    await run.collect('searching the path MTU', requests);
    const answers = requests.map((request, at) => answerTo(run, request, sizes[at]!));
    tallies.push(...withCulprit(answers));
    mss ??= answers.find((one) => one.mss !== undefined)?.mss;
    gap ??= answers.find((one) => one.gap !== undefined)?.gap;
    // Where nothing can be sent, asking again makes no difference.
    if (answers.every((one) => one.gap !== undefined)) break;
  }
  return {
    reading: readSizes(tallies, bounds),
    tallies,
    tooBig: tooBigOf(tallies),
    ...(mss === undefined ? {} : { mss }),
    ...(gap === undefined ? {} : { gap }),
  };
}

function requestOf(way: SearchWay, sizeBytes: number, round: number): Request {
  const { by, from, source, destination: address, port } = way;
  const place: Place = { node: from.node, namespace: from.namespace };
  const paced = { count: TRIES, intervalMs: INTERVAL_MS, timeoutMs: TIMEOUT_MS, attempt: `mtu ${round}` };
  if (by === 'tcp')
    return { action: 'probe.syn', place, args: { address, source, port, sizeBytes, ...paced }, round: 0 };
  const payload = sizeBytes - PING_HEADER_BYTES[familyOf(address)];
  return { action: 'probe.icmp', place, args: { address, sizeBytes: payload, df: true, ...paced }, round: 0 };
}

interface Answer extends SizeTally {
  readonly disturbed: number;
  readonly mss?: number;
  readonly gap?: string;
}

function answerTo(run: Run, { action, place, args }: Request, sizeBytes: number): Answer {
  const nothing = { sizeBytes, sent: 0, answered: 0, tooBig: [], disturbed: 0 };
  const snapshot = run.snapshot();
  if (action === 'probe.syn') {
    const answer = snapshot.fact('probe.syn', place, args);
    if (answer.state === 'unseen') return { ...nothing, gap: answer.detail };
    const { sent, answered, disturbed, mss } = answer.value;
    return { ...nothing, sent, answered, disturbed, ...(mss === undefined ? {} : { mss }) };
  }
  const answer = snapshot.fact('probe.icmp', place, args);
  if (answer.state === 'unseen') return { ...nothing, gap: answer.detail };
  const { outcome, sent, received: answered, errors, detail } = answer.value;
  if (outcome === 'not-permitted' || outcome === 'failed') return { ...nothing, gap: detail ?? outcome };
  const tooBig = errors.flatMap(({ from, mtu }): TooBig[] =>
    mtu === undefined ? [] : [{ mtu, ...(from === undefined ? {} : { from }) }],
  );
  return { ...nothing, sent, answered, tooBig };
}

/**
 * An ICMP error tells every raw socket with the same addresses (raw_icmp_error in net/ipv4/raw.c): which of the sizes in
 * flight was too big is not told, but the largest of them was.
 */
function withCulprit(answers: readonly Answer[]): SizeTally[] {
  const disturbed = answers.filter((one) => one.disturbed > 0 && one.answered === 0);
  const culprit = Math.max(...disturbed.map(({ sizeBytes }) => sizeBytes));
  return answers.map((one) =>
    one.sizeBytes === culprit ? { ...one, sent: one.sent + one.disturbed, tooBig: [...one.tooBig, {}] } : one,
  );
}
