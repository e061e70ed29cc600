import { type Ask, defineCause, type Finding } from '../../diagnose/cause.ts';
import { counterRise } from '../../diagnose/counter-rise.ts';
import type { Flow, FlowCapture } from '../../diagnose/derived.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { counterEvidence, probeEvidence } from '../../diagnose/evidence-of.ts';
import { hostOf, type Place } from '../../net/place.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { lostOnTheWay } from '../shared/overlay-loss.ts';
import { present } from '../shared/present.ts';

/**
 * The outer UDP checksum of the overlay's packets is wrong where they arrive, so that the receiver's kernel drops them before
 * the tunnel's device sees them (udp4_csum_init, net/ipv4/udp.c). A NIC or driver that fills it in wrongly, or a kernel that
 * marks the packet as needing none (kubernetes/kubernetes#88986, projectcalico/calico#3145).
 */
export const vxlanBadChecksum = defineCause({
  id: 'vxlan-bad-checksum',
  class: 'network-unreachable',
  title: 'The overlay’s packets arrive with a wrong outer checksum',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows'],
  optional: ['counters'],
  invariant: 'what carries pod traffic arrives as it was sent',
  check({ flows }, place, ask) {
    const lost = lostOnTheWay(flows);
    const seen = lost.flatMap((flow) => damagedAt(flow, place));
    const [first] = seen;
    if (!first) return nothingSeen(flows, lost, place, ask);
    const errors = sumErrors(ask, place);
    if (errors.length === 0 && wereCounted(ask, place)) return dropsElsewhere(place, first.device);
    return present({
      claims: [],
      evidence: [first.capture.evidence, ...errors, ...probeEvidence(lost)],
      place: { ...place, object: `what comes in by ${first.device}` },
      fix: {
        summary: `have the sending node compute the checksums itself: switch the offload of transmit checksums off, on the tunnel’s device first, then on the NIC; update its kernel and NIC driver (kernels before 5.6.13, 5.4.41, 4.19.123 do it wrongly after a masquerade)`,
        commands: [
          `nstat -az UdpInCsumErrors    # on ${place.node}: rises`,
          'ethtool -K flannel.1 tx-checksum-ip-generic off    # on the sending node, the tunnel’s device',
          'ethtool -K NIC tx off    # on the sending node, if that does not help',
        ],
      },
    });
  },
});

interface Damaged {
  readonly capture: FlowCapture;
  readonly device: string;
}

/** Lost behind a device of this node by which it came in with a wrong outer sum. */
function damagedAt({ capture }: Flow, { node }: Place): Damaged[] {
  const wrong = capture?.wrongOuterSums.find(({ place }) => place.node === node && place.namespace === 'host');
  if (!capture || !wrong) return [];
  const isLostThere = capture.losses.some(
    ({ after }) => after.place.node === node && after.device === wrong.device && after.way === 'in' && after.tunnel,
  );
  return isLostThere ? [{ capture, device: wrong.device }] : [];
}

function nothingSeen(flows: readonly Flow[], lost: readonly Flow[], place: Place, ask: Ask<'counters'>) {
  const [risen] = sumErrors(ask, place);
  if (lost.length === 0 || !risen)
    return absentFromWalks(flows, `no overlay packet was seen to arrive at ${place.node} with a wrong checksum`);
  return {
    is: 'unknown',
    because: `${risen.statement}; whether these were the overlay’s packets only a capture at ${place.node} tells`,
  } as const;
}

/** The sum looked wrong, and the kernel refused nothing for it: a virtual device may vouch for what it hands over (CHECKSUM_UNNECESSARY). */
function dropsElsewhere({ node }: Place, device: string): Finding {
  const because = `overlay packets came in by ${device} of ${node} with a wrong outer checksum, but UdpInCsumErrors stood still there`;
  return { is: 'unknown', because };
}

const COUNTERS = ['UdpInCsumErrors', 'Udp6InCsumErrors'];

/** Both looks were made at the counter. */
function wereCounted(ask: Ask<'counters'>, { node }: Place): boolean {
  const looks = [ask('counters', hostOf(node)), ask.after('counters', hostOf(node))];
  return looks.every((look) => look.state === 'seen' && COUNTERS.some((name) => look.value[name] !== undefined));
}

function sumErrors(ask: Ask<'counters'>, { node }: Place): Evidence[] {
  const [before, after] = [ask('counters', hostOf(node)), ask.after('counters', hostOf(node))];
  if (before.state === 'unseen') return [];
  return COUNTERS.flatMap((name) => {
    const rose = counterRise(before, after, name);
    return rose ? [counterEvidence('counter', hostOf(node), rose.after, name, rose.by)] : [];
  });
}
