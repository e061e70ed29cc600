import { describe, expect, test } from 'vitest';
import { hostOf } from '../net/place.ts';
import type { Segment, Trace } from '../simulate/trace.ts';
import { chanceOf, UNDECIDED } from '../simulate/truth.ts';
import type { Snapshot, SnapshotChange } from '../snapshot/snapshot.ts';
import { type Cause, defineCause, type Finding, type Known } from './cause.ts';
import type { Case } from './check.ts';
import type { Flow, FlowCapture } from './derived.ts';
import { diagnose } from './engine.ts';
import type { LeafRef } from './leaves.ts';
import type { Present } from './named.ts';
import {
  buildCase,
  CLIENT_PLACE,
  changesOf,
  evidence,
  flow,
  leafEnd,
  leafTrace,
  packet,
  probe,
  sourceOf,
  step,
} from './testing/build-case.ts';

const MAIN: LeafRef = { flow: 'main', leg: 'forward', segment: 0 };
const forwardingOff = step({ kind: 'sysctl', at: 'forward ip_forward', text: 'net.ipv4.ip_forward is 0' });
const dying = flow({ forward: leafTrace('forwarding-disabled', { steps: [forwardingOff] }) });
const dyingLive: Flow = { ...dying, probe: probe('no', 'timed-out') };
const healthyLive = flow({ probe: probe('yes', 'connected') });

const mend = (text: string, node = 'w1'): SnapshotChange => ({
  op: 'sysctl',
  key: 'net.ipv4.ip_forward',
  value: '1',
  place: hostOf(node),
  text,
});
const FORWARD_ON = mend('net.ipv4.ip_forward = 1');

function present(finding: Partial<Present> = {}): Finding {
  return {
    is: 'present',
    claims: [MAIN],
    evidence: [evidence({ kind: 'sysctl', plane: 'state' })],
    change: [FORWARD_ON],
    fix: { summary: 'turn forwarding on', commands: ['sysctl -w net.ipv4.ip_forward=1'] },
    ...finding,
  };
}

function cause(id: string, check: (given: { readonly flows: readonly Flow[] }) => Finding, more: Partial<Cause> = {}) {
  const made = defineCause({
    id,
    class: 'network-unreachable',
    title: `Title of ${id}`,
    gravity: 'fault',
    at: 'question',
    needs: ['flows'],
    ...(more as Partial<Cause<'flows'>>),
    check,
  });
  return made as unknown as Cause<keyof Known>;
}

const makes = (snapshot: Snapshot, change: SnapshotChange): boolean =>
  changesOf(snapshot).some((made) => made.text === change.text);

/** A walk that answers by the changes that were made: the first entry whose changes are all there, else `flows`. */
function walkAgain(
  flows: readonly Flow[],
  ...worlds: readonly (readonly [readonly SnapshotChange[], readonly Flow[]])[]
) {
  return (snapshot: Snapshot): readonly Flow[] =>
    worlds.find(([changes]) => changes.every((change) => makes(snapshot, change)))?.[1] ?? flows;
}

const delivered = [flow()];
const whenMended = walkAgain([dying], [[FORWARD_ON], delivered]);

function run(given: Partial<Case>, causes: readonly Cause[], again = whenMended) {
  return diagnose(buildCase(given), causes, again);
}

describe('confidence', () => {
  const named = (given: Partial<Case>, finding: Finding, again = whenMended, more: Partial<Cause> = {}) =>
    run(given, [cause('one', () => finding, more)], again).causes[0];

  test('proven: the walk names it, the probe agrees, and undoing it delivers', () => {
    expect(named({ flows: [dyingLive] }, present())).toMatchObject({
      confidence: 'proven',
      counterfactual: { change: 'net.ipv4.ip_forward = 1 (w1)', disposition: 'delivered', holds: true },
      behind: false,
    });
  });

  describe('with a capture of the flow', () => {
    const seen = evidence({ kind: 'capture', plane: 'capture', statement: 'last seen in by flannel.1 of w2' });
    const captured = (agrees: FlowCapture['agrees']): Flow => ({
      ...dyingLive,
      capture: { agrees, statement: seen.statement, evidence: seen, losses: [], wrongOuterSums: [] },
    });
    const planesOf = (flows: readonly Flow[]) =>
      named({ flows }, present())!.finding.evidence.map(({ plane }) => plane);

    test('that saw what the walk says: proven, and it stands beside the cause', () => {
      expect(named({ flows: [captured('yes')] }, present())).toMatchObject({ confidence: 'proven' });
      expect(planesOf([captured('yes')])).toEqual(['state', 'capture']);
    });

    test('that saw something else: not proven, and that is said', () => {
      const { causes, disagreements } = run({ flows: [captured('no')] }, [cause('one', () => present())]);
      expect(causes[0]).toMatchObject({ confidence: 'observed' });
      expect(planesOf([captured('no')])).toEqual(['state']);
      expect(disagreements).toEqual([
        'main: by the walk: forwarding-disabled at w1, yet a capture saw: last seen in by flannel.1 of w2',
      ]);
    });

    test('that could not tell changes nothing', () => {
      const { causes, disagreements } = run({ flows: [captured('unknown')] }, [cause('one', () => present())]);
      expect([causes[0]!.confidence, disagreements]).toEqual(['proven', []]);
      expect(planesOf([captured('unknown')])).toEqual(['state']);
    });
  });

  test('predicted: the walk alone', () => {
    expect(named({ flows: [dying] }, present())).toMatchObject({
      confidence: 'predicted',
      counterfactual: { holds: true },
    });
  });

  test('observed: it passes the claimed step, but is not delivered for all that', () => {
    const further = flow({ forward: leafTrace('no-listener', { place: hostOf('w2') }) });
    const again = walkAgain([dying], [[FORWARD_ON], [further]]);
    expect(named({ flows: [dyingLive] }, present(), again)).toMatchObject({
      confidence: 'observed',
      counterfactual: { holds: true, disposition: 'no-listener' },
    });
  });

  test('observed: behind it the walk could not tell', () => {
    const unsure = flow({ forward: leafTrace('insufficient-information') });
    const again = walkAgain([dying], [[FORWARD_ON], [unsure]]);
    expect(named({ flows: [dyingLive] }, present(), again)).toMatchObject({
      confidence: 'observed',
      counterfactual: { disposition: 'insufficient-information' },
    });
  });

  test('observed: no change is known that would show it', () => {
    const finding = named({ flows: [dyingLive] }, present({ change: undefined }));
    expect(finding).toMatchObject({ confidence: 'observed' });
    expect(finding!.counterfactual).toBeUndefined();
  });

  test('suspected: undoing it does not help', () => {
    expect(named({ flows: [dyingLive] }, present(), () => [dying])).toMatchObject({
      confidence: 'suspected',
      counterfactual: { holds: false, disposition: 'forwarding-disabled' },
    });
  });

  test('observed: undoing it does not help, but it was itself seen live', () => {
    const counter = evidence({ kind: 'counter', plane: 'kernel' });
    expect(named({ flows: [dyingLive] }, present({ evidence: [counter] }), () => [dying])).toMatchObject({
      confidence: 'observed',
    });
  });

  test('suspected: undoing it does not help, and its only live evidence is that the flow fails', () => {
    const finding = present({ evidence: [evidence(), dyingLive.probe!.evidence] });
    expect(named({ flows: [dyingLive] }, finding, () => [dying])).toMatchObject({ confidence: 'suspected' });
  });

  test('a flow that the changed walk no longer has is not mended', () => {
    expect(named({ flows: [dyingLive] }, present(), () => [])).toMatchObject({ counterfactual: { holds: false } });
  });

  test('the rule behind the removed one has its number and is another step', () => {
    const rule = (text: string): Flow =>
      flow({
        forward: leafTrace('dropped-by-rule', {
          steps: [
            step({
              kind: 'rule',
              at: 'forward filter FORWARD#1',
              source: sourceOf('iptables.nft', hostOf('w1'), 7, text),
            }),
          ],
        }),
      });
    const first = { ...rule('-A FORWARD -s 10.244.0.0/16 -j DROP'), probe: probe('no', 'timed-out') };
    const behind = rule('-A FORWARD -d 10.244.0.0/16 -j DROP');
    const again = walkAgain([first], [[FORWARD_ON], [behind]]);
    expect(named({ flows: [first] }, present(), again)).toMatchObject({ counterfactual: { holds: true } });
    expect(named({ flows: [first] }, present(), () => [first])).toMatchObject({ counterfactual: { holds: false } });
  });

  test('an invariant with live evidence is proven, without it predicted', () => {
    const finding = present({ claims: [], change: undefined });
    const live = present({ claims: [], change: undefined, evidence: [evidence({ plane: 'probe' })] });
    const more = { invariant: 'a pod’s nameserver is the cluster’s' };
    expect(named({ flows: [dyingLive] }, live, whenMended, more)).toMatchObject({ confidence: 'proven' });
    expect(named({ flows: [dyingLive] }, finding, whenMended, more)).toMatchObject({ confidence: 'predicted' });
  });

  test('neither a claim nor an invariant, seen live: observed', () => {
    const finding = present({ claims: [], change: undefined, evidence: [evidence({ plane: 'kernel' })] });
    expect(named({ flows: [dyingLive] }, finding)).toMatchObject({ confidence: 'observed' });
  });
});

const at = { segment: 0, hop: 0, step: 0 };

/** A fork into two ends: `no-listener` with this chance, and delivered. */
function halfDead(fork: 'random' | 'undecided', live?: Flow['probe'], id = 'main'): Flow {
  const chance = fork === 'undecided' ? UNDECIDED : chanceOf(0.5);
  const leadingTo = (then: Segment['then']): Segment => ({ hops: [], then });
  const forward: Trace = {
    packet: packet(),
    from: CLIENT_PLACE,
    segments: [
      leadingTo({
        fork,
        at,
        to: [
          { segment: 1, chance },
          { segment: 2, chance },
        ],
      }),
      leadingTo(leafEnd('no-listener')),
      leadingTo(leafEnd('delivered')),
    ],
    unwalked: 0,
  };
  return flow({ id, forward, probe: live });
}

describe('an undecided rule', () => {
  const claimed = present({ claims: [{ ...MAIN, segment: 1 }], change: undefined });
  const causes = [cause('one', () => claimed)];

  test('without a probe it is suspected, no more', () => {
    const { causes: found, unexplained } = run({ flows: [halfDead('undecided')] }, causes);
    expect(found[0]).toMatchObject({ confidence: 'suspected' });
    expect(unexplained).toHaveLength(1);
  });

  test('with a probe that got through nothing is left of it', () => {
    const diagnosis = run({ flows: [halfDead('undecided', probe('yes', 'connected'))] }, causes);
    expect(diagnosis.causes).toEqual([]);
    expect(diagnosis.unexplained).toEqual([]);
    expect(diagnosis.disagreements).toEqual([]);
    expect(diagnosis.ruledOut).toEqual([{ id: 'one', because: 'present, but nothing that was tried fails by it' }]);
  });

  test('with a probe that failed it is observed, not proven: the rule was not read', () => {
    const change = [FORWARD_ON];
    const failing = halfDead('undecided', probe('no', 'timed-out'));
    const found = run({ flows: [failing] }, [cause('one', () => ({ ...claimed, change }) as Finding)]);
    expect(found.causes[0]).toMatchObject({ confidence: 'observed' });
  });
});

describe('a random choice', () => {
  test('one dead backend is a fault though the probe met the other', () => {
    const lucky = halfDead('random', probe('yes', 'connected'));
    const claimed = present({ claims: [{ ...MAIN, segment: 1 }], change: undefined });
    const found = run({ flows: [lucky] }, [cause('one', () => claimed)]);
    expect(found.causes.map((named) => named.confidence)).toEqual(['predicted']);
    expect(found.disagreements).toEqual([]);
    expect(run({ flows: [lucky] }, []).unexplained).toHaveLength(1);
  });

  test('all backends dead and yet a connection: the walk is contradicted as a whole', () => {
    const lucky = halfDead('random', probe('yes', 'connected'));
    const bothDead: Flow = { ...lucky, dead: lucky.leaves };
    const found = run({ flows: [bothDead] }, []);
    expect(found.unexplained).toEqual([]);
    expect(found.disagreements).toHaveLength(lucky.leaves.length);
  });
});

describe('what is not this question’s fault', () => {
  test('nothing present: nothing reported', () => {
    const absent = cause('one', () => ({ is: 'absent', because: 'forwarding is on at w1' }));
    expect(run({ flows: [healthyLive] }, [absent])).toEqual({
      causes: [],
      unexplained: [],
      disagreements: [],
      ruledOut: [{ id: 'one', because: 'forwarding is on at w1' }],
      notChecked: [],
    });
  });

  test('a broken invariant while everything that was probed works', () => {
    const odd = cause('one', () => present({ claims: [], change: undefined }), { invariant: 'x is y' });
    expect(run({ flows: [healthyLive] }, [odd]).causes).toEqual([]);
    expect(run({ flows: [dyingLive] }, [odd]).causes).toHaveLength(1);
  });

  test('a broken invariant while nothing but ping fails', () => {
    const odd = cause('one', () => present({ claims: [], change: undefined }), { invariant: 'x is y' });
    const ping = flow({ id: 'icmp', probe: probe('no', 'silent') });
    expect(run({ flows: [healthyLive, ping] }, [odd]).causes).toEqual([]);
  });

  test('odd state without claim, invariant or live evidence', () => {
    const odd = cause('one', () => present({ claims: [], change: undefined }));
    expect(run({ flows: [dyingLive] }, [odd]).causes).toEqual([]);
  });

  test('a probe that got through: a disagreement, and not a cause', () => {
    const contradicted: Flow = { ...dying, probe: probe('yes', 'connected', 'connect to 10.244.2.7:8080: connected') };
    const found = run({ flows: [contradicted] }, [cause('one', () => present())]);
    expect(found.causes).toEqual([]);
    expect(found.unexplained).toEqual([]);
    expect(found.disagreements).toEqual([
      'main: the walk ends in forwarding-disabled at w1, yet connect to 10.244.2.7:8080: connected',
    ]);
    expect(found.ruledOut).toEqual([{ id: 'one', because: 'present, but nothing that was tried fails by it' }]);
  });

  test('a backend that the walk lets die, and that answers when it is asked by itself', () => {
    const endpoint = flow({
      id: 'endpoint/10.244.2.7',
      forward: leafTrace('no-listener'),
      probe: probe('yes', 'connected'),
    });
    const main = { ...halfDead('random', probe('yes', 'connected')) };
    const claims = [...main.dead, ...endpoint.dead].map((leaf) => leaf.ref);
    const found = run({ flows: [main, endpoint] }, [cause('one', () => present({ claims, change: undefined }))]);
    expect(found.causes).toEqual([]);
    expect(found.disagreements).toHaveLength(1);
  });

  test('what only ping meets while the port answers', () => {
    const ping = flow({ id: 'icmp', forward: leafTrace('dropped-by-rule'), probe: probe('no', 'silent') });
    const filtered = cause('one', () => present({ claims: [{ ...MAIN, flow: 'icmp' }], change: undefined }));
    expect(run({ flows: [healthyLive, ping] }, [filtered]).causes).toEqual([]);
    expect(run({ flows: [dyingLive, ping] }, [filtered]).causes).toHaveLength(1);
    const withProbe = cause('one', () =>
      present({
        claims: [{ ...MAIN, flow: 'icmp' }],
        change: undefined,
        evidence: [evidence(), ping.probe!.evidence],
      }),
    );
    expect(run({ flows: [healthyLive, ping] }, [withProbe]).causes).toEqual([]);
  });

  test('a risk or something by design is said all the same', () => {
    const risk = cause('risk', () => present({ claims: [], change: undefined }), { gravity: 'risk' });
    const design = cause('design', () => present({ claims: [], change: undefined }), { gravity: 'by-design' });
    expect(run({ flows: [healthyLive] }, [risk, design]).causes.map((named) => named.cause.id)).toEqual([
      'design',
      'risk',
    ]);
  });
});

describe('walk and probe that disagree', () => {
  const walkedWell = flow({ probe: probe('no', 'timed-out', 'connect to 10.244.2.7:8080 timed out') });

  test('delivered by the walk, lost by the probe', () => {
    expect(run({ flows: [walkedWell] }, []).disagreements).toEqual([
      'main: by the walk it is delivered there and back, yet connect to 10.244.2.7:8080 timed out',
    ]);
  });

  test('not where a fault that no walk can show explains it', () => {
    const queue = cause('queue', () => present({ claims: [], evidence: [evidence({ plane: 'kernel' })] }));
    expect(run({ flows: [walkedWell] }, [queue]).disagreements).toEqual([]);
  });

  test('not where the walk does not know', () => {
    const unsure: Flow = {
      ...flow({ forward: leafTrace('insufficient-information') }),
      probe: probe('no', 'timed-out'),
    };
    expect(run({ flows: [unsure] }, []).disagreements).toEqual([]);
  });

  test('not outside the cluster, not for ping, and not where a DNS server answered "no"', () => {
    const outside = leafTrace('left-the-cluster', {
      packet: packet({ source: '10.78.0.11', destination: '198.51.100.9' }),
    });
    const flows = [
      flow({ forward: outside, probe: probe('no', 'timed-out') }),
      flow({ id: 'icmp', probe: probe('no', 'silent') }),
      flow({ id: 'dns/10.96.0.10', probe: probe('no', 'nxdomain') }),
    ];
    expect(run({ flows }, []).disagreements).toEqual([]);
    const silent = flow({ id: 'dns/10.96.0.10', probe: probe('no', 'timed-out') });
    expect(run({ flows: [silent] }, []).disagreements).toHaveLength(1);
  });
});

describe('layers', () => {
  const LISTEN = mend('a listener on 8080', 'w2');
  const deaf = flow({ forward: leafTrace('no-listener', { place: hostOf('w2') }) });
  const first = cause('first', ({ flows }) =>
    flows.some((one) => one.dead.some((leaf) => leaf.end.end === 'forwarding-disabled'))
      ? present()
      : { is: 'absent', because: 'forwarding is on' },
  );
  const second = cause('second', ({ flows }) =>
    flows.some((one) => one.dead.some((leaf) => leaf.end.end === 'no-listener'))
      ? present({ change: [LISTEN] })
      : { is: 'absent', because: 'the packet does not come so far' },
  );
  const again = walkAgain([dying], [[FORWARD_ON, LISTEN], delivered], [[FORWARD_ON], [deaf]]);

  test('a second fault behind the first is uncovered, and both together are the proof', () => {
    const { causes, unexplained, ruledOut } = run({ flows: [dyingLive] }, [second, first], again);
    expect(causes.map((named) => [named.cause.id, named.confidence, named.behind])).toEqual([
      ['first', 'proven', false],
      ['second', 'predicted', true],
    ]);
    expect(causes[0]!.counterfactual).toMatchObject({ holds: true, disposition: 'no-listener' });
    expect(unexplained).toEqual([]);
    expect(ruledOut).toEqual([]);
  });

  test('what still dies behind it without a name leaves the first one unproven', () => {
    const { causes } = run({ flows: [dyingLive] }, [first], again);
    expect(causes.map((named) => named.confidence)).toEqual(['observed']);
  });

  test('a fault behind claims nothing of the case as it is', () => {
    const other = flow({ id: 'endpoint/10.244.2.8', forward: leafTrace('no-route') });
    const wide = cause('second', ({ flows }) =>
      flows.some((one) => one.dead.some((leaf) => leaf.end.end === 'no-listener'))
        ? present({ change: [LISTEN], claims: [{ ...MAIN, flow: 'endpoint/10.244.2.8' }] })
        : { is: 'absent', because: 'no' },
    );
    const { unexplained } = run({ flows: [dyingLive, other] }, [first, wide], again);
    expect(unexplained.map(({ flow: one }) => one.id)).toEqual(['endpoint/10.244.2.8']);
  });

  test('the same cause again with another change is another fault; with the same change it is not', () => {
    const rule = (n: number): SnapshotChange => mend(`without rule ${n}`);
    const stages = [1, 2, 3].map((n) =>
      flow({ forward: leafTrace('dropped-by-rule', { steps: [step({ kind: 'rule', at: `FORWARD#${n}` })] }) }),
    );
    const drop = cause('host-firewall-drop', ({ flows }) => {
      const found = flows[0]?.dead[0];
      if (!found) return { is: 'absent', because: 'nothing drops' };
      const number = Number(found.trace.segments[0]!.hops.at(-1)!.steps[0]!.at.split('#')[1]);
      return present({ change: [rule(number)] });
    });
    const live: Flow = { ...stages[0]!, probe: probe('no', 'timed-out') };
    const all = walkAgain(
      [stages[0]!],
      [[rule(1), rule(2), rule(3)], delivered],
      [[rule(1), rule(2)], [stages[2]!]],
      [[rule(1)], [stages[1]!]],
    );
    expect(run({ flows: [live] }, [drop], all).causes.map((named) => [named.behind, named.confidence])).toEqual([
      [false, 'proven'],
      [true, 'predicted'],
      [true, 'predicted'],
    ]);
    expect(run({ flows: [live] }, [drop], () => [stages[0]!]).causes).toHaveLength(1);
  });

  test('a later layer’s change is made on top of the earlier ones: a rule’s number means what it meant there', () => {
    const layersOf = new Map<Snapshot, readonly string[]>();
    const recording = (made: readonly string[]): Snapshot => {
      const snapshot: Snapshot = {
        ...buildCase().snapshot,
        with: (changes) => recording([...made, changes.map((change) => change.text).join(' + ')]),
      };
      layersOf.set(snapshot, made);
      return snapshot;
    };
    const walks = (snapshot: Snapshot): readonly Flow[] =>
      [[dying], [deaf], delivered][layersOf.get(snapshot)!.length]!;
    const { causes } = run({ flows: [dyingLive], snapshot: recording([]) }, [first, second], walks);
    expect([...layersOf.values()]).toContainEqual(['net.ipv4.ip_forward = 1', 'a listener on 8080']);
    expect(causes.map((named) => named.confidence)).toEqual(['proven', 'predicted']);
  });

  test('the search for more ends', () => {
    let walks = 0;
    const endless = cause('endless', () => present({ change: [mend(`change ${walks}`)] }));
    run({ flows: [dyingLive] }, [endless], () => {
      walks += 1;
      return [dying];
    });
    expect(walks).toBeLessThan(12);
  });
});

describe('names', () => {
  const wide = cause('network-policy-deny', () => present());
  const ids = (found: ReturnType<typeof run>) => found.causes.map((named) => named.cause.id);

  test('refines: the narrower of two true names stays', () => {
    const narrow = cause('dns-policy-deny', () => present(), { refines: ['network-policy-deny'] });
    const found = run({ flows: [dyingLive] }, [wide, narrow]);
    expect(ids(found)).toEqual(['dns-policy-deny']);
    expect(found.ruledOut).toEqual([
      { id: 'network-policy-deny', because: 'dns-policy-deny is the narrower name for it' },
    ]);
  });

  test('refines: a wider name for another end is another fault', () => {
    const dns = flow({ id: 'dns/10.96.0.10', forward: leafTrace('dropped-by-rule'), probe: probe('no', 'timed-out') });
    const narrow = cause('dns-policy-deny', () => present({ claims: [{ ...MAIN, flow: dns.id }], change: undefined }), {
      refines: ['network-policy-deny'],
    });
    expect(ids(run({ flows: [dyingLive, dns] }, [wide, narrow])).sort()).toEqual([
      'dns-policy-deny',
      'network-policy-deny',
    ]);
  });

  test('refines: an end that only the wider name claims is not unexplained', () => {
    const other = flow({ id: 'dns/10.96.0.10', forward: leafTrace('no-route') });
    const both = cause('wide', () => present({ claims: [MAIN, { ...MAIN, flow: other.id }], change: undefined }));
    const narrow = cause('narrow', () => present(), { refines: ['wide'] });
    const found = run({ flows: [dyingLive, other] }, [both, narrow]);
    expect(ids(found)).toEqual(['narrow']);
    expect(found.unexplained).toEqual([]);
  });

  test('refines: one that is only suspected takes nothing away, and two that refine each other stay', () => {
    const other = mend('something that does not help');
    const guess = cause('guess', () => present({ change: [other] }), { refines: ['network-policy-deny'] });
    expect(ids(run({ flows: [dyingLive] }, [wide, guess]))).toEqual(['network-policy-deny', 'guess']);
    const one = cause('one', () => present(), { refines: ['two'] });
    const two = cause('two', () => present(), { refines: ['one'] });
    expect(ids(run({ flows: [dyingLive] }, [one, two])).sort()).toEqual(['one', 'two']);
  });

  test('explains: consequences are nested under their root', () => {
    const root = cause('kube-proxy-down', () => present(), { explains: ['dns-service-unreachable'] });
    const middle = cause('dns-service-unreachable', () => present(), { explains: ['dns-timeout'] });
    const leaf = cause('dns-timeout', () => present());
    const found = run({ flows: [dyingLive] }, [leaf, middle, root]);
    expect(ids(found)).toEqual(['kube-proxy-down']);
    expect(found.causes[0]!.explains.map((named) => named.cause.id)).toEqual(['dns-service-unreachable']);
    expect(found.causes[0]!.explains[0]!.explains.map((named) => named.cause.id)).toEqual(['dns-timeout']);
    expect(found.ruledOut).toEqual([]);
  });

  test('explains: a circle loses nobody', () => {
    const a = cause('a', () => present(), { explains: ['b'] });
    const b = cause('b', () => present(), { explains: ['c'] });
    const c = cause('c', () => present(), { explains: ['a'] });
    const count = (list: readonly { readonly explains: readonly never[] | readonly unknown[] }[]): number =>
      list.reduce((sum, one) => sum + 1 + count(one.explains as never), 0);
    expect(count(run({ flows: [dyingLive] }, [a, b, c]).causes)).toBe(3);
  });

  test('explains: a fault is not hidden under a risk or under a mere suspicion', () => {
    const risk = cause('risk', () => present({ claims: [] }), { gravity: 'risk', explains: ['network-policy-deny'] });
    expect(ids(run({ flows: [dyingLive] }, [risk, wide]))).toEqual(['network-policy-deny', 'risk']);
    const guess = cause('guess', () => present({ change: [mend('no help')] }), { explains: ['network-policy-deny'] });
    expect(ids(run({ flows: [dyingLive] }, [guess, wide]))).toEqual(['network-policy-deny', 'guess']);
  });

  test('what keeps the asked flow from being answered stands before what is shown better beside it', () => {
    const evident = [evidence({ plane: 'probe' })] as const;
    const large = cause('large', () => present({ claims: [], change: undefined, evidence: evident }), {
      class: 'large-packet-loss',
      invariant: 'x is y',
    });
    const asked = cause('asked', () => present({ change: undefined }));
    expect(ids(run({ flows: [dying, flow({ id: 'large', probe: probe('no', 'silent') })] }, [large, asked]))).toEqual([
      'asked',
      'large',
    ]);
  });

  test('what to fix first stands first: faults before risks, the better shown before the less', () => {
    const risk = cause('risk', () => present({ claims: [] }), { gravity: 'risk' });
    const observed = cause('observed', () => present({ change: undefined }));
    expect(ids(run({ flows: [dyingLive] }, [risk, observed, wide]))).toEqual([
      'network-policy-deny',
      'observed',
      'risk',
    ]);
  });
});

describe('the rest', () => {
  test('a dead end that nobody claims is unexplained', () => {
    const { unexplained } = run({ flows: [dying] }, []);
    expect(unexplained).toHaveLength(1);
    expect(unexplained[0]!.leaf.end.end).toBe('forwarding-disabled');
  });

  test('what only ping meets is told while the asked flow fails, and not when it is answered', () => {
    const ping = flow({ id: 'icmp', forward: leafTrace('dropped-by-rule') });
    const ends = (main: Flow): string[] =>
      run({ flows: [main, ping] }, []).unexplained.map(({ leaf }) => leaf.ref.flow);
    expect(ends(dyingLive)).toEqual(['main', 'icmp']);
    expect(ends(healthyLive)).toEqual([]);
    expect(ends(flow())).toEqual([]);
  });

  test('a sender that is told to send smaller packets meets no fault, unless the probe of them fails', () => {
    const told = leafTrace('packet-too-big', { senderSees: 'icmp 3/4' });
    const silent = leafTrace('packet-too-big');
    const ends = (large: Flow): number => run({ flows: [healthyLive, large] }, []).unexplained.length;
    expect(ends(flow({ id: 'large', forward: told }))).toBe(0);
    expect(ends(flow({ id: 'large', forward: told, probe: probe('no', 'silent') }))).toBe(1);
    expect(ends(flow({ id: 'large', forward: silent }))).toBe(1);
  });

  test('nor is it explained by what is only suspected', () => {
    const found = run({ flows: [dyingLive] }, [cause('guess', () => present())], () => [dying]);
    expect(found.causes.map((named) => named.confidence)).toEqual(['suspected']);
    expect(found.unexplained).toHaveLength(1);
  });

  test('not checked and ruled out are told apart, each once, with its reason', () => {
    const unknown = cause('unknown', () => ({ is: 'unknown', because: 'links of w1: timed-out, 10 s' }));
    const absent = cause('absent', () => ({
      is: 'absent',
      because: [evidence({ statement: 'forwarding is on' }), evidence({ statement: 'also on eth0' })],
    }));
    const { notChecked, ruledOut } = run({ flows: [healthyLive] }, [unknown, absent]);
    expect(notChecked).toEqual([{ id: 'unknown', because: 'links of w1: timed-out, 10 s' }]);
    expect(ruledOut).toEqual([{ id: 'absent', because: 'forwarding is on; also on eth0' }]);
  });

  test('a cause that is absent at one place and unknown at another was not checked', () => {
    const mixed = cause('mixed', () => ({ is: 'absent', because: 'never asked' }), { at: 'path-node' });
    const byNode = { ...mixed, check: (_: never, place: { node: string }) => answers[place.node]! } as unknown as Cause;
    const answers: Record<string, Finding> = {
      w1: { is: 'absent', because: 'on at w1' },
      w2: { is: 'unknown', because: 'sysctls of w2: unreachable' },
    };
    const { notChecked, ruledOut } = run({ flows: [healthyLive] }, [byNode]);
    expect(notChecked).toEqual([{ id: 'mixed', because: 'sysctls of w2: unreachable' }]);
    expect(ruledOut).toEqual([]);
  });
});
