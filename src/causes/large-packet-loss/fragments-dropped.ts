import { type Ask, defineCause } from '../../diagnose/cause.ts';
import type { Flow } from '../../diagnose/derived.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import {
  counterEvidence,
  type DeadEnd,
  deadEnds,
  hopsTo,
  probeEvidence,
  walkEvidence,
} from '../../diagnose/evidence-of.ts';
import { hostOf, type Place, placeKey } from '../../net/place.ts';
import type { Step } from '../../simulate/trace.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { deleteCommand, familyOfStep, ruleName, ruleRemoval, ruleText } from '../shared/iptables-change.ts';
import { present } from '../shared/present.ts';

/**
 * What is longer than the MTU travels in fragments, and these do not come together at the other end: a rule of a node drops them (the
 * walk names it), or something between the nodes does (the kernel's counters tell). Where a tunnel's outer packets are the ones in
 * fragments, every large packet of a pod is lost.
 */
export const fragmentsDropped = defineCause({
  id: 'fragments-dropped',
  class: 'large-packet-loss',
  title: 'Large packets travel in fragments, and the fragments are dropped',
  gravity: 'fault',
  at: 'question',
  needs: ['flows'],
  optional: ['counters'],
  refines: ['host-firewall-drop', 'overlay-port-blocked'],
  invariant: 'what a node sends in fragments comes together at the other end',
  check({ flows }, _place, ask) {
    const byRule = deadEnds(flows, { ends: ['dropped-by-rule', 'rejected-by-rule'] }).flatMap((end): Ruled[] =>
      end.step?.kind === 'rule' && end.leaf.end.packet.fragmentBytes !== undefined ? [{ ...end, step: end.step }] : [],
    );
    const ruled = byRule.filter((end) => !diesWhole(end, flows));
    if (ruled.length > 0) return presentByRule(ruled);
    const lost = flows.filter(isLostInFragments);
    if (lost.length === 0) return absentFromWalks(flows, 'nothing that was lost travels in fragments');
    return presentByCounters(lost, ask);
  },
});

type Ruled = DeadEnd & { readonly step: Step };

/** The same rule takes packets that are whole as well: it is not about fragments. */
function diesWhole({ step }: Ruled, flows: readonly Flow[]): boolean {
  return deadEnds(flows).some(
    (other) =>
      other.step?.source.text === step.source.text &&
      other.step?.at === step.at &&
      other.leaf.end.packet.fragmentBytes === undefined,
  );
}

function presentByRule(ruled: readonly Ruled[]) {
  const rules = distinctBy(ruled, ({ step, leaf }) => `${placeKey(leaf.end.place)} ${step.at}`);
  const [first] = rules;
  return present({
    claims: claimsOf(ruled),
    evidence: [
      ...rules.map(({ step, leaf }) =>
        walkEvidence(
          'fragment-rule',
          leaf.end.place,
          step,
          `“${ruleText(step)}” (${ruleName(step)}) drops the fragments of ${leaf.end.packet.lengthBytes} bytes, and what is whole passes`,
        ),
      ),
      ...probeEvidence(distinctBy(ruled, ({ flow }) => flow.id).map(({ flow }) => flow)),
    ],
    place: { ...first!.leaf.end.place, object: ruleName(first!.step) },
    change: rules.map(({ step, leaf }) => ruleRemoval(step, leaf.end.place)),
    fix: {
      summary: `let fragments through at ${first!.leaf.end.place.node}, or let nothing be sent that needs them`,
      commands: rules.map(
        ({ step, leaf }) => `${deleteCommand(step, familyOfStep(step))}    # on ${leaf.end.place.node}`,
      ),
    },
  });
}

/** Large ones have no answer while small ones have, and by every walk they are delivered: in fragments. */
function isLostInFragments(flow: Flow): boolean {
  return (
    flow.probe?.passed === 'no' &&
    flow.probe.outcome === 'silent' &&
    flow.purpose === 'large' &&
    flow.dead.length === 0 &&
    flow.unknown.length === 0 &&
    cutsOf(flow).length > 0
  );
}

interface Cut {
  readonly place: Place;
  readonly step: Step;
  /** The node that is to put them together. */
  readonly to: string;
}

/** Where the flow's walks, there and back, cut a packet that goes to another node. */
export function cutsOf(flow: Flow): Cut[] {
  const found = flow.leaves.flatMap((leaf) => {
    const hops = hopsTo(leaf);
    return hops.flatMap((hop, at): Cut[] => {
      const step = hop.steps.find(({ kind, values }) => kind === 'mtu' && values['act'] === 'fragmented');
      const to = hops.slice(at + 1).find(({ place }) => place.node !== hop.place.node)?.place.node;
      return step && to ? [{ place: hop.place, step, to }] : [];
    });
  });
  return distinctBy(found, ({ place, step, to }) => `${placeKey(place)} ${step.at} ${to}`);
}

function presentByCounters(lost: readonly Flow[], ask: Ask<'counters'>) {
  const cuts = distinctBy(lost.flatMap(cutsOf), ({ place, to }) => `${placeKey(place)} ${to}`);
  const fates = cuts.map((cut) => ({ cut, fate: fateOf(cut, ask) }));
  const dropped = fates.flatMap(({ cut, fate }) => (fate.is === 'dropped' ? [{ cut, evidence: fate.evidence }] : []));
  const [first] = dropped;
  if (!first) {
    const unknown = fates.find(({ fate }) => fate.is === 'unknown');
    return unknown?.fate.is === 'unknown'
      ? ({ is: 'unknown', because: unknown.fate.because } as const)
      : ({ is: 'absent', because: 'fragments come together at the other end' } as const);
  }
  const { place, step, to } = first.cut;
  return present({
    claims: [],
    evidence: [
      ...probeEvidence(lost),
      ...dropped.flatMap(({ cut, evidence }) => [
        walkEvidence(
          'mtu',
          cut.place,
          cut.step,
          `${cut.step.values['lengthBytes']} bytes are more than the MTU ${cut.step.values['mtu']} of ${cut.step.values['device']}: ${cut.place.node} sends them to ${cut.to} in fragments`,
        ),
        ...evidence,
      ]),
    ],
    place: { ...place, object: `fragments from ${place.node} to ${to}` },
    fix: {
      summary: `let IP fragments through between ${place.node} and ${to}, or do without them: give ${step.values['device']} its MTU back, or the CNI what ${step.values['mtu']} leaves for the pods`,
      commands: [
        `tcpdump -pni ${step.values['device']} 'ip[6:2] & 0x3fff != 0'    # on both nodes: who sends fragments, and whether they arrive`,
        'nstat -az IpReasmReqds IpReasmOKs IpReasmFails IpFragCreates    # on both nodes, while it is tried',
      ],
    },
  });
}

type Fate =
  | { readonly is: 'dropped'; readonly evidence: readonly Evidence[] }
  | { readonly is: 'together' }
  | { readonly is: 'unknown'; readonly because: string };

/** By the kernel's counters over the probes' time (snmp(5), RFC 4293): fragments were made here, and there none came together. */
function fateOf({ place, to }: Cut, ask: Ask<'counters'>): Fate {
  const here = risesAt(place, ask);
  const there = risesAt(hostOf(to), ask);
  if (!here || !there)
    return { is: 'unknown', because: `the fragments that ${place.node} made and ${to} got were not counted twice` };
  if (!here.by('IpFragCreates'))
    return { is: 'unknown', because: `${place.node} made no fragments while the probes ran` };
  if (there.by('IpReasmOKs')) return { is: 'together' };
  const none = there.by('IpReasmReqds') === 0;
  const statement = none
    ? `no fragment came to ${to} while the probes ran (IpReasmReqds did not move)`
    : `${there.by('IpReasmReqds')} fragments came to ${to} while the probes ran, and none of them came together (IpReasmOKs did not move)`;
  return {
    is: 'dropped',
    evidence: [
      counterEvidence('fragments', place, here.after, 'IpFragCreates', here.by('IpFragCreates')),
      {
        ...{ kind: 'reassembly', plane: 'kernel', place: hostOf(to), source: there.after.source, statement },
        values: { IpReasmReqds: there.by('IpReasmReqds'), IpReasmOKs: 0, IpReasmFails: there.by('IpReasmFails') },
      },
    ],
  };
}

function risesAt(place: Place, ask: Ask<'counters'>) {
  const before = ask('counters', place);
  const after = ask.after('counters', place);
  if (before.state === 'unseen' || after.state === 'unseen') return undefined;
  const known = (name: string): boolean => name in before.value && name in after.value;
  if (!['IpFragCreates', 'IpReasmReqds', 'IpReasmOKs', 'IpReasmFails'].every(known)) return undefined;
  return { after, by: (name: string): number => after.value[name]! - before.value[name]! };
}
