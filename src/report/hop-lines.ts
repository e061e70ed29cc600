import type { Packet } from '../net/packet.ts';
import type { Hop, Step } from '../simulate/trace.ts';
import { callDepths, idleCalls } from './call-depth.ts';
import { shortPlace } from './end-text.ts';
import { packetText } from './packet-text.ts';
import { stageOf, stepLines } from './step-lines.ts';
import type { TraceLine } from './trace-line.ts';

/** Rules passed over one after the other that are shown without -v: the first ones of a chain, then the last. */
const PASSED_FIRST = 12;
const PASSED_LAST = 3;
export interface HopContext {
  readonly hop: number;
  readonly goesOn: boolean;
  readonly before: Packet | undefined;
  readonly verbose: boolean;
}

/** One stay in a network namespace: where, by which devices, as what packet, and what was done to it. */
export function hopLines(hop: Hop, { hop: number, goesOn, before, verbose }: HopContext): TraceLine[] {
  const place = hop.place.node === '' ? 'outside the cluster' : shortPlace(hop.place);
  const head: TraceLine = {
    kind: 'hop',
    text: `${number}  ${place}${goesOn ? ', going on' : ''}${devicesText(hop, goesOn)}`,
  };
  const packet: TraceLine = { kind: 'packet', stage: 'packet', text: packetText(hop.packet, before) };
  const more = verbose ? metaLines(hop) : [];
  return [head, ...(goesOn ? [] : [packet, ...more]), ...stepsLines(hop.steps, verbose)];
}

function devicesText({ input, output }: Hop, goesOn: boolean): string {
  const from = goesOn ? '' : input === undefined ? 'sent here' : `in by ${input}`;
  const to = output === undefined ? '' : `out by ${output}`;
  const both = [from, to].filter((part) => part !== '').join(', ');
  return both === '' ? '' : `:  ${both}`;
}

function metaLines({ packet, meta }: Hop): TraceLine[] {
  const { macs } = packet;
  const parts = [
    ...(macs
      ? [`from ${macs.source} to ${macs.destination}${macs.vlan === undefined ? '' : `, VLAN ${macs.vlan}`}`]
      : []),
    `mark 0x${meta.mark.toString(16)}`,
    ...(meta.conntrack === 'none' ? [] : [`conntrack ${meta.conntrack}`]),
    ...(meta.zone === 0 ? [] : [`zone ${meta.zone}`]),
  ];
  return [{ kind: 'note', text: parts.join(', ') }];
}

function stepsLines(steps: readonly Step[], verbose: boolean): TraceLine[] {
  const depths = callDepths(steps);
  const idle = idleCalls(steps);
  const lines: TraceLine[] = [];
  for (let at = 0; at < steps.length; ) {
    const end = endOfPassed(steps, at);
    const run = steps.slice(at, end);
    if (verbose || run.length <= PASSED_FIRST + PASSED_LAST + 1) {
      lines.push(
        ...run.flatMap((step, i) => stepLines(step, { depth: depths[at + i]!, verbose, isIdle: idle.has(step) })),
      );
    } else {
      const shown = (step: Step, i: number) =>
        stepLines(step, { depth: depths[at + i]!, verbose, isIdle: idle.has(step) });
      const hidden = run.length - PASSED_FIRST - PASSED_LAST;
      lines.push(
        ...run.slice(0, PASSED_FIRST).flatMap(shown),
        {
          kind: 'passed',
          stage: stageOf(run[0]!),
          depth: depths[at]!,
          text: `… ${hidden} more of ${String(run[0]!.values['chain'])} passed over (-v shows all)`,
        },
        ...run.slice(-PASSED_LAST).flatMap((step, i) => shown(step, run.length - PASSED_LAST + i)),
      );
    }
    at = end;
  }
  return lines;
}

/** The end of the rules of one chain that were passed over from here on; the next step where this one was not. */
function endOfPassed(steps: readonly Step[], start: number): number {
  const first = steps[start]!;
  let at = start + 1;
  if (!isPassed(first)) return at;
  while (at < steps.length && isPassed(steps[at]!) && steps[at]!.values['chain'] === first.values['chain']) at++;
  return at;
}

function isPassed({ kind, matched }: Step): boolean {
  return kind === 'rule' && matched === 'no';
}
