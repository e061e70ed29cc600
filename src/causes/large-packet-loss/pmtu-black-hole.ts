import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, deadEnds, walkEvidence } from '../../diagnose/evidence-of.ts';
import type { Place } from '../../net/place.ts';
import type { LeafEnd, Step, Trace } from '../../simulate/trace.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { deleteCommand, familyOfStep, ruleName, ruleText } from '../shared/iptables-change.ts';
import { policyRise } from '../shared/policy-rise.ts';
import { present } from '../shared/present.ts';
import { probeOfLargest } from '../shared/silent-size-drop.ts';

/**
 * A packet that may not be fragmented is too big for a link of the way, the node there says so (ICMP 3/4, ICMPv6 2), and the message
 * does not come to the sender, who sends the same again for ever (RFC 2923 §2.1). Two faults in one: a smaller MTU alone is
 * told and heeded, and the lost ICMP alone harms nobody.
 */
export const pmtuBlackHole = defineCause({
  id: 'pmtu-black-hole',
  class: 'large-packet-loss',
  title: 'A link on the way is smaller, and the ICMP message that says so does not come to the sender',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows'],
  optional: ['iptables.nft', 'iptables.legacy'],
  invariant: 'whoever sends what is too big for a link of the way is told so',
  check({ flows }, place, ask) {
    const refused = deadEnds(flows, { ends: ['packet-too-big'], at: place })
      .flatMap(holeOf)
      .sort(byLength);
    // Of an outer packet the tunnel's node is told, and the sender of the inner one by its fragments.
    const holes = refused.filter(({ flow }) => flow.probe?.passed !== 'unknown' || flow.probe.outcome !== 'too-big');
    const first = holes.at(-1);
    if (!first)
      return refused.length > 0
        ? { is: 'absent', because: 'by the walk the ICMP message dies on its way, and the probe got it' }
        : absentFromWalks(flows, `no packet is refused at ${place.node} for its size without its sender being told`);
    const rules = distinctBy(holes, ({ eaten }) => `${eaten.step?.at} ${eaten.end.place.node}`);
    return present({
      claims: claimsOf(holes),
      evidence: [
        ...distinctBy(holes, ({ step }) => String(step.values['device'])).map((hole) =>
          walkEvidence('mtu', place, hole.step, tooBigText(hole)),
        ),
        ...rules.flatMap(({ eaten }) =>
          eaten.step ? [walkEvidence('icmp-lost', eaten.end.place, eaten.step, eatenText(eaten))] : [],
        ),
        ...rules.flatMap(({ eaten: { step, end } }) =>
          step && isRuled(step) ? (policyRise(ask, hereOf(end), familyOfStep(step), step) ?? []) : [],
        ),
        ...probeOfLargest(holes),
      ],
      place: { ...hereOf(first.eaten.end), object: objectOf(first.eaten) },
      fix: fixFor(rules, first),
    });
  },
});

interface Eaten {
  readonly end: LeafEnd;
  readonly step?: Step;
}

type Hole = DeadEnd & { readonly step: Step; readonly eaten: Eaten };

function holeOf(dead: DeadEnd): Hole[] {
  const { step, leaf } = dead;
  const { errorTrace, senderSees } = leaf.end;
  if (step?.kind !== 'mtu' || step.values['act'] !== 'too-big' || !errorTrace || senderSees !== 'nothing') return [];
  const eaten = eatenIn(errorTrace);
  return eaten ? [{ ...dead, step, eaten }] : [];
}

/** Where the message dies, if it surely does. */
function eatenIn(trace: Trace): Eaten | undefined {
  const ends = trace.segments.flatMap(({ then }) => ('end' in then ? [then] : []));
  const [first] = ends;
  if (!first || trace.unwalked > 0 || ends.some(({ end }) => ARRIVES.has(end))) return undefined;
  const { segment, hop, step } = first.at;
  const found = trace.segments[segment]?.hops[hop]?.steps[step];
  return { end: first, ...(found && { step: found }) };
}

/** It arrives, leaves for where nobody looks, or is not known. */
const ARRIVES: ReadonlySet<string> = new Set([
  'delivered',
  'left-the-cluster',
  'handed-to-userspace',
  'insufficient-information',
]);

/** The largest last, which `distinctBy` keeps. */
function byLength(a: Hole, b: Hole): number {
  return a.leaf.end.packet.lengthBytes - b.leaf.end.packet.lengthBytes;
}

function isRuled({ kind }: Step): boolean {
  return kind === 'rule' || kind === 'policy';
}

function hereOf({ place }: LeafEnd): Place {
  return { node: place.node, namespace: place.namespace };
}

function objectOf({ end, step }: Eaten): string {
  return step && isRuled(step) ? ruleName(step) : (step?.at ?? end.end);
}

function tooBigText({ step, leaf }: Hole): string {
  const { device, mtu, lengthBytes } = step.values;
  const { source, destination } = leaf.end.packet.ip;
  return `${source} → ${destination}: ${lengthBytes} bytes, which may not be fragmented, are more than the ${mtu} that the way by ${device} carries: refused with an ICMP message to the sender`;
}

function eatenText({ end, step }: Eaten): string {
  const { source, destination } = end.packet.ip;
  const how = step && isRuled(step) ? `is dropped by “${ruleText(step)}” (${ruleName(step)})` : `ends in ${end.end}`;
  return `that message, ${source} → ${destination}, ${how} at ${end.place.node}`;
}

function fixFor(rules: readonly Hole[], { step }: Hole) {
  const let_ = rules.flatMap(({ eaten }) =>
    eaten.step && eaten.step.kind === 'rule'
      ? [`${deleteCommand(eaten.step, familyOfStep(eaten.step))}    # on ${eaten.end.place.node}`]
      : [],
  );
  return {
    summary: `let ICMP “fragmentation needed” (IPv6: “packet too big”) through; and give the sender no larger MTU than the ${step.values['mtu']} of the way, less the overhead of tunnels behind it (raising a tunnel’s own MTU is no cure)`,
    commands: [
      ...let_,
      '# where it cannot be let through: clamp TCP to the path, or let TCP find out by itself',
      'iptables -t mangle -A FORWARD -p tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
      'sysctl net.ipv4.tcp_mtu_probing=1    # at the sender',
    ],
  };
}
