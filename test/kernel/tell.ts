import { describeTrace } from '../../src/simulate/testing/describe-trip.ts';
import type { KernelCase } from './case.ts';
import type { CheckedCase, CheckedPacket } from './check-case.ts';
import type { Talk } from './conversation.ts';
import { showEvent } from './wire-event.ts';

/** A case and what became of it, for eyes. */
export function tellCase(one: KernelCase, checked: CheckedCase, { whole }: { readonly whole: boolean }): string {
  const lines = [
    ...(whole ? one.items.map((item) => `  ${item.ns} ${showItem(item)}`) : []),
    ...checked.packets.flatMap((packet, index) =>
      whole || packet.agreement.kind === 'disagrees' ? tellPacket(packet, index, whole) : [],
    ),
    ...checked.counters.map((line) => `  counter: ${line}`),
  ];
  return lines.join('\n');
}

function showItem(item: KernelCase['items'][number]): string {
  const { ns: _, feature, ...rest } = item;
  return `${JSON.stringify(rest)}${feature ? `   # ${feature}` : ''}`;
}

function tellPacket(one: CheckedPacket, index: number, whole: boolean): string[] {
  const { agreement, packet, seen, talk } = one;
  const { events, ...rest } = seen;
  return [
    `  packet ${index}: ${JSON.stringify(packet)}`,
    `    ${agreement.kind}${'because' in agreement ? `: ${agreement.because}` : ''}`,
    `    kernel: ${JSON.stringify(rest)}`,
    ...events.map((event) => `      ${showEvent(event)}`),
    ...(whole || agreement.kind === 'disagrees' ? tellTalk(talk, '    ') : []),
  ];
}

function tellTalk(talk: Talk, indent: string): string[] {
  return [
    ...describeTrace(talk.walked.trace).map((line) => `${indent}walk: ${line}`),
    ...talk.walked.trace.segments.flatMap(({ then }) =>
      'end' in then && then.errorTrace ? describeTrace(then.errorTrace).map((line) => `${indent}  error: ${line}`) : [],
    ),
    ...[...talk.next.values()].flatMap((next) => tellTalk(next, `${indent}  answer `)),
  ];
}
