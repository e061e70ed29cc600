import { familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Disposition, LeafEnd, Step, Trace } from '../simulate/trace.ts';
import { ruleName } from './rule-name.ts';

/** Each way in which a walk can end, in plain words (docs/dispositions.md defines them). */
const PLAIN: Readonly<Record<Disposition, string>> = {
  delivered: 'delivered',
  'left-the-cluster': 'left the cluster',
  'handed-to-userspace': 'handed to a process that decides for itself',
  'dropped-by-rule': 'dropped by a rule',
  'rejected-by-rule': 'rejected by a rule',
  'no-route': 'no route leads there',
  'route-unreachable': 'a route refuses it',
  'reverse-path-filtered': 'dropped by the reverse-path filter',
  martian: 'dropped as a martian: an address that cannot be where it is',
  'forwarding-disabled': 'not forwarded: forwarding is off',
  'neighbour-unresolved': 'nobody answers for the next hop',
  'not-for-this-mac': 'sent to a MAC address that is not the receiver’s',
  'bridge-blocked': 'not passed on by a bridge',
  'link-down': 'the device is down or leads nowhere',
  'packet-too-big': 'too big for the device',
  'ttl-exceeded': 'its time to live ran out',
  'no-listener': 'nobody listens there',
  'accept-queue-full': 'its listener accepts nobody',
  'reply-not-matched': 'the answer belongs to no connection of the receiver',
  'conntrack-refused': 'connection tracking refused it',
  'tunnel-dropped': 'lost in the tunnel',
  loop: 'goes round in a loop',
  'insufficient-information': 'not known',
};

/** The step at which a walk ended, if any. */
export function endStep(trace: Trace, { at }: LeafEnd): Step | undefined {
  return trace.segments[at.segment]?.hops[at.hop]?.steps[at.step];
}

/** How the walk ended, in plain words and with what ended it: `dropped by the policy of filter FORWARD`. */
export function endText(trace: Trace, leaf: LeafEnd): string {
  const step = endStep(trace, leaf);
  if (leaf.end === 'dropped-by-rule' || leaf.end === 'rejected-by-rule') return ruledText(leaf, step);
  const why = leaf.because ?? step?.text;
  return why === undefined || why === '' ? PLAIN[leaf.end] : `${PLAIN[leaf.end]}: ${why}`;
}

function ruledText(leaf: LeafEnd, step: Step | undefined): string {
  const act = leaf.end === 'dropped-by-rule' ? 'dropped' : 'rejected';
  if (step?.kind === 'policy') return `${act} by the policy of ${ruleName(step)}`;
  if (step?.kind === 'rule') return `${act} by the rule ${ruleName(step)}`;
  const why = leaf.because ?? step?.text;
  return why === undefined || why === '' ? PLAIN[leaf.end] : `${act}: ${why}`;
}

/** `w1`, `pod/shop/web on w1`, `outside the cluster`. */
export function shortPlace(place: Place): string {
  if (place.node === '') return 'outside the cluster';
  return place.namespace === 'host' ? place.node : `${place.namespace} on ${place.node}`;
}

/** What an application gets from it (tcp(7), ip(7), ipv6(7)). */
export function senderText({ senderSees, packet }: LeafEnd): string {
  if (senderSees === 'reply') return 'a reply';
  if (senderSees === 'nothing') return 'nothing: a time-out';
  if (senderSees === 'reset') return 'a reset: connection refused';
  if (senderSees === 'error EINVAL') return 'an error of its own host at once: EINVAL, invalid argument';
  const meanings = familyOf(packet.ip.source) === 6 ? ICMPV6_MEANING : ICMP_MEANING;
  return `${senderSees}: ${meanings[senderSees] ?? 'an ICMP error'}`;
}

/** RFC 792, RFC 1812. */
const ICMP_MEANING: Readonly<Record<string, string>> = {
  'icmp 3/0': 'network unreachable',
  'icmp 3/1': 'no route to host',
  'icmp 3/2': 'protocol unreachable',
  'icmp 3/3': 'connection refused',
  'icmp 3/4': 'send smaller packets',
  'icmp 3/9': 'network administratively prohibited',
  'icmp 3/10': 'host administratively prohibited',
  'icmp 3/13': 'communication administratively prohibited',
  'icmp 11/0': 'time to live exceeded',
};

/** RFC 4443. */
const ICMPV6_MEANING: Readonly<Record<string, string>> = {
  'icmp 1/0': 'no route',
  'icmp 1/1': 'administratively prohibited',
  'icmp 1/3': 'no route to host',
  'icmp 1/4': 'connection refused',
  'icmp 2/0': 'send smaller packets',
  'icmp 3/0': 'hop limit exceeded',
};
