import type { Reply } from '../../src/host/host.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import type { KernelCase } from './case.ts';
import { askCase, snapshotOfCase } from './collect-case.ts';
import type { Driver } from './driver.ts';
import type { Observation } from './judge.ts';
import { readingOf } from './reading.ts';
import { type DriverStep, lateSteps, setUpSteps } from './steps-of-case.ts';
import { housekeepingOf, type RawEvent, wireEvent } from './wire-event.ts';

/** A case that was made real: what was read before the packets and after them, and what became of each. */
export interface RealRun {
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly replies: readonly Reply[];
  readonly seen: readonly Observation[];
}

export type RunOutcome = { readonly ran: RealRun } | { readonly failed: string };

/** Makes the case real and sends its packets. `failed`: it could not be made (a rule that this kernel does not take). */
export async function runCase(
  driver: Driver,
  one: KernelCase,
  { send = true }: { readonly send?: boolean } = {},
): Promise<RunOutcome> {
  const asks = askCase(one);
  const reading = readingOf(asks);
  const again = asks.filter(({ request, step }) => step && /^(iptables|nft\.table$)/.test(request.action));
  const rereading = readingOf(again);
  const setUp = setUpSteps(one);
  const tunnels = tunnelsOf(one);
  const names = one.namespaces.map(({ name }) => name);
  const waitUp = [...wiresUp(one), ...lateSteps(one)];
  const packets = send ? one.packets : [];
  // Copies to hosts that are not there are refused after a while, and the errors about them meet rules.
  const settled = tunnels.size > 0 && packets.length > 0 ? [{ do: 'settle', ms: one.settleMs }] : [];
  const steps: DriverStep[] = [
    ...setUp,
    ...waitUp,
    { do: 'watch', names },
    ...reading.steps,
    ...packets.map((packet) => ({ do: 'send', packet, settleMs: one.settleMs })),
    ...settled,
    ...rereading.steps,
  ];
  const answer = await driver.run(steps);
  if (answer.failed !== undefined) return { failed: answer.failed };
  const begin = setUp.length + waitUp.length + 1;
  const sending = begin + reading.steps.length;
  const end = sending + packets.length;
  const sent = answer.results.slice(sending, end);
  const rest =
    (answer.results.slice(end, end + settled.length) as unknown as { events: RawEvent[] }[])[0]?.events ?? [];
  const replies = reading.repliesOf(answer.results.slice(begin, sending));
  return {
    ran: {
      before: snapshotOfCase(one, replies),
      after: snapshotOfCase(one, rereading.repliesOf(answer.results.slice(end + settled.length))),
      replies,
      seen: sent.map((result, index) => {
        const behind = index === sent.length - 1 ? rest : [];
        return observationOf(result as unknown as RawObservation, tunnels, behind);
      }),
    },
  };
}

/** Devices that are set up must show operstate UP before anything is sent (linkwatch works with a delay). */
function wiresUp(one: KernelCase): DriverStep[] {
  const up = one.items.flatMap((item) => {
    const found =
      item.kind === 'ip' || item.kind === 'link' ? /^link set (?:dev )?(\S+) .*\bup\b/.exec(item.line) : null;
    return found && found[1] !== 'lo' ? [[item.ns, found[1]!] as const] : [];
  });
  // Where one is taken down, others with it lose their carrier for good.
  const lateMs = one.items.some((item) => item.kind === 'ip' && /^link set .* down$/.test(item.line)) ? 100 : 1000;
  return [...Map.groupBy(up, ([ns]) => ns)].map(([ns, devices]) => ({
    do: 'wait-up',
    ns,
    lateMs,
    devices: devices.map(([, device]) => device),
  }));
}

type RawObservation = Omit<Observation, 'events' | 'talkative'> & {
  readonly events: readonly RawEvent[];
  readonly before?: readonly RawEvent[];
};

/** Devices that send what leaves by them as packets of IPv4, which meet rules of their own. */
function tunnelsOf(one: KernelCase): ReadonlySet<string> {
  return new Set(
    one.items.flatMap((item) => {
      const name = item.kind === 'link' ? /^link add (?:name )?(\S+) .*type vxlan/.exec(item.line)?.[1] : undefined;
      return name === undefined ? [] : [`${item.ns} ${name}`];
    }),
  );
}

/** `behind`: what was seen after the last packet, of which the network's own talk alone counts. */
function observationOf(raw: RawObservation, tunnels: ReadonlySet<string>, behind: readonly RawEvent[]): Observation {
  const { before, ...rest } = raw;
  const talk = [...(before ?? []), ...raw.events, ...behind].flatMap((event) => {
    const family = housekeepingOf(event);
    if (family === undefined) return [];
    return [`${event[0]} ${family}`, ...(tunnels.has(`${event[0]} ${event[1]}`) ? [`${event[0]} 4`] : [])];
  });
  return {
    ...rest,
    events: raw.events.flatMap((event) => wireEvent(event) ?? []),
    talkative: [...new Set(talk)],
  };
}
