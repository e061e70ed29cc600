import { describe, expect, test } from 'vitest';
import { hostOf } from '../net/place.ts';
import type { Disposition, Segment, Trace } from '../simulate/trace.ts';
import { chanceOf, UNDECIDED } from '../simulate/truth.ts';
import type { Cause, Finding } from './cause.ts';
import type { Case } from './check.ts';
import type { Flow } from './derived.ts';
import { diagnose } from './engine.ts';
import { symptomOf } from './symptom.ts';
import {
  buildCase,
  CLIENT_PLACE,
  evidence,
  flow,
  leafEnd,
  leafTrace,
  NAME_END,
  packet,
  probe,
  question,
} from './testing/build-case.ts';
import { verdictOf } from './verdict.ts';

/** The verdict that a run would give: engine and procedure are the real ones. */
function verdict(given: Partial<Case>, causes: readonly Cause[] = []) {
  const whole = buildCase(given);
  return verdictOf(
    whole,
    diagnose(whole, causes, () => given.flows ?? whole.flows),
    symptomOf(whole),
  );
}

const connected = probe('yes', 'connected', 'connect to 10.244.2.7:8080: connected in 1 ms');
const timedOut = probe('no', 'timed-out', 'connect to 10.244.2.7:8080: no answer within 1 s');
const mesh = probe('unknown', 'connected', 'a mesh proxy accepted the connect, which proves nothing');

const at = { segment: 0, hop: 0, step: 0 };

function forked(fork: 'random' | 'undecided', ...ends: readonly Disposition[]): Trace {
  const chance = fork === 'undecided' ? UNDECIDED : chanceOf(1 / ends.length);
  const leadingTo = (then: Segment['then']): Segment => ({ hops: [], then });
  const to = ends.map((_, index) => ({ segment: index + 1, chance }));
  const segments = [leadingTo({ fork, at, to }), ...ends.map((end) => leadingTo(leafEnd(end)))];
  return { packet: packet(), from: CLIENT_PLACE, segments, unwalked: 0 };
}

function cause(finding: Partial<Extract<Finding, { is: 'present' }>>, more: Partial<Cause> = {}): Cause {
  return {
    id: 'ip-forward-disabled',
    class: 'network-unreachable',
    title: 'IP forwarding is off',
    gravity: 'fault',
    at: 'question',
    needs: [],
    check: () => ({
      is: 'present',
      claims: [],
      evidence: [evidence({ plane: 'kernel' })],
      place: hostOf('w1'),
      fix: { summary: 'turn it on', commands: [] },
      ...finding,
    }),
    ...more,
  };
}

describe('healthy', () => {
  test('the probe got through', () => {
    expect(verdict({ flows: [flow({ probe: connected })] })).toEqual({
      verdict: 'healthy',
      class: null,
      summary: 'connect to 10.244.2.7:8080: connected in 1 ms',
    });
  });

  test('no probe, and the walk has no doubt there and back', () => {
    expect(verdict({ flows: [flow()] })).toMatchObject({ verdict: 'healthy' });
  });

  test('the probe got through an unmodelled datapath', () => {
    const forward = leafTrace('insufficient-information', { because: 'services by cilium: not modelled' });
    expect(verdict({ flows: [flow({ forward, probe: connected })] })).toMatchObject({ verdict: 'healthy' });
  });

  test('the probe got past a rule that the walk could not decide', () => {
    const forward = forked('undecided', 'dropped-by-rule', 'delivered');
    expect(verdict({ flows: [flow({ forward, probe: connected })] })).toMatchObject({ verdict: 'healthy' });
  });

  test('ping fails and the port answers', () => {
    const icmp = flow({ id: 'icmp', forward: leafTrace('dropped-by-rule'), probe: probe('no', 'silent') });
    expect(verdict({ flows: [flow({ probe: connected }), icmp] })).toMatchObject({ verdict: 'healthy', class: null });
  });

  test('nodes that do not answer each other’s ping', () => {
    const underlay = flow({ id: 'underlay/w2', protocol: 'icmp', probe: probe('no', 'silent') });
    expect(verdict({ flows: [flow({ probe: connected }), underlay] })).toMatchObject({ verdict: 'healthy' });
  });

  test('ping fails by the walk alone and the port answers by the walk', () => {
    const icmp = flow({ id: 'icmp', forward: leafTrace('dropped-by-rule') });
    expect(verdict({ flows: [flow(), icmp] })).toMatchObject({ verdict: 'healthy' });
  });

  test('the port answers, and of large packets nothing was seen: healthy, and that is said', () => {
    for (const seen of [{}, { probe: probe('unknown', 'silent') }])
      expect(verdict({ flows: [flow({ probe: connected }), flow({ id: 'large', ...seen })] })).toMatchObject({
        verdict: 'healthy',
        summary: expect.stringContaining('whether large packets get through was not seen'),
      });
    const told = flow({ id: 'large', probe: probe('unknown', 'too-big') });
    expect(verdict({ flows: [flow({ probe: connected }), told] }).summary).not.toContain('large');
  });

  test('a large packet that is too big, with the sender told so', () => {
    const large = flow({ id: 'large', forward: leafTrace('packet-too-big', { senderSees: 'icmp 3/4' }) });
    expect(verdict({ flows: [flow({ probe: connected }), large] })).toMatchObject({ verdict: 'healthy' });
  });

  test('a risk is no fault', () => {
    const risk = cause({}, { gravity: 'risk' });
    expect(verdict({ flows: [flow({ probe: connected })] }, [risk])).toMatchObject({ verdict: 'healthy' });
  });

  test('of several backends one could not be told, and it is said', () => {
    const forward = forked('random', 'insufficient-information', 'delivered');
    expect(verdict({ flows: [flow({ forward, probe: connected })] }).summary).toMatch(
      /; 1 other way could not be told$/,
    );
  });
});

describe('fault', () => {
  const dead = leafTrace('forwarding-disabled');

  test('a cause: its title and its node, the symptom as the probes saw it', () => {
    const flows = [flow({ forward: dead, probe: timedOut }), flow({ id: 'icmp', probe: probe('yes', 'answered') })];
    expect(verdict({ flows }, [cause({})])).toEqual({
      verdict: 'fault',
      class: 'port-unreachable',
      summary: 'IP forwarding is off (w1)',
    });
  });

  test('without a symptom it is filed under the cause’s own class', () => {
    const large = cause({}, { class: 'large-packet-loss' });
    expect(verdict({ flows: [flow({ probe: connected })] }, [large])).toMatchObject({
      verdict: 'fault',
      class: 'large-packet-loss',
    });
  });

  test('a certain death that no cause claims, seen by the probe too', () => {
    expect(verdict({ flows: [flow({ forward: dead, probe: timedOut })] })).toEqual({
      verdict: 'fault',
      class: 'network-unreachable',
      summary: 'The packet ends in forwarding-disabled at w1, and no known cause claims it',
    });
  });

  test('a certain death by the walk alone', () => {
    expect(verdict({ flows: [flow({ forward: dead })] })).toMatchObject({ verdict: 'fault' });
  });

  test('a death on the way back', () => {
    const lost = flow({ replies: [{ leaf: 0, trace: leafTrace('no-route', { place: hostOf('w2') }) }] });
    expect(verdict({ flows: [lost] })).toMatchObject({
      verdict: 'fault',
      summary: 'The packet ends in no-route at w2, and no known cause claims it',
    });
  });

  test('one backend of two dies: a lucky probe does not make it healthy', () => {
    const forward = forked('random', 'no-listener', 'delivered');
    expect(verdict({ flows: [flow({ forward, probe: connected })] })).toEqual({
      verdict: 'fault',
      class: 'intermittent',
      summary: 'Of the connections at least 50 % end in no-listener at w1, and no known cause claims it',
    });
  });

  test('ping alone was asked for, and it dies', () => {
    const main = flow({ protocol: 'icmp', forward: dead, probe: probe('no', 'silent') });
    expect(verdict({ flows: [main], question: question({ protocol: 'icmp' }) })).toMatchObject({
      verdict: 'fault',
      class: 'network-unreachable',
    });
  });

  test('a large packet that vanishes without a word', () => {
    const large = flow({ id: 'large', forward: leafTrace('packet-too-big'), probe: probe('no', 'silent') });
    expect(verdict({ flows: [flow({ probe: connected }), large] })).toMatchObject({
      verdict: 'fault',
      class: 'large-packet-loss',
    });
  });
});

describe('inconclusive', () => {
  test('the walk does not know and no probe was made', () => {
    const forward = leafTrace('insufficient-information', { because: 'links of w1: timed-out' });
    expect(verdict({ flows: [flow({ forward })] })).toEqual({
      verdict: 'inconclusive',
      class: null,
      summary: 'by the walk: links of w1: timed-out',
    });
  });

  test('a mesh proxy accepted the connect', () => {
    expect(verdict({ flows: [flow({ probe: mesh })] })).toEqual({
      verdict: 'inconclusive',
      class: null,
      summary: 'a mesh proxy accepted the connect, which proves nothing',
    });
  });

  test('a rule that could not be decided, and no probe', () => {
    const forward = forked('undecided', 'dropped-by-rule', 'delivered');
    expect(verdict({ flows: [flow({ forward })] })).toMatchObject({ verdict: 'inconclusive' });
  });

  test('a rule that could not be decided, and a probe that failed: the rule may not be why', () => {
    const forward = forked('undecided', 'dropped-by-rule', 'delivered');
    expect(verdict({ flows: [flow({ forward, probe: timedOut })] })).toEqual({
      verdict: 'inconclusive',
      class: 'network-unreachable',
      summary: 'It fails (connect to 10.244.2.7:8080: no answer within 1 s), and nothing that was seen tells why',
    });
  });

  test('delivered by the walk, lost by the probe', () => {
    expect(verdict({ flows: [flow({ probe: timedOut })] })).toMatchObject({
      verdict: 'inconclusive',
      summary: expect.stringContaining('contradict each other (main: by the walk it is delivered there and back'),
    });
  });

  test('lost by the walk, delivered by the probe', () => {
    const forward = leafTrace('forwarding-disabled');
    expect(verdict({ flows: [flow({ forward, probe: connected })] })).toMatchObject({ verdict: 'inconclusive' });
  });

  test('delivered, as far as the walk went', () => {
    const forward = { ...leafTrace('delivered'), unwalked: 40 };
    expect(verdict({ flows: [flow({ forward })] })).toMatchObject({ verdict: 'inconclusive' });
    expect(verdict({ flows: [flow({ replies: [] })] })).toMatchObject({ verdict: 'inconclusive' });
  });

  test('it answers, and an endpoint of it does not', () => {
    const silent = flow({
      id: 'endpoint/10.244.2.8',
      destination: '10.244.2.8',
      forward: leafTrace('insufficient-information'),
      probe: probe('no', 'timed-out', 'connect to 10.244.2.8:8080: no answer'),
    });
    expect(verdict({ flows: [flow({ probe: connected }), silent] })).toMatchObject({
      verdict: 'inconclusive',
      summary: 'It answers, but not always: connect to 10.244.2.8:8080: no answer',
    });
  });

  test('a branch that dies by the walk, and whose endpoint answers by itself: the walk is wrong there', () => {
    const forward = forked('random', 'no-listener', 'delivered');
    const endpoint = flow({ id: 'endpoint/10.244.2.7', forward: leafTrace('no-listener'), probe: connected });
    expect(verdict({ flows: [flow({ forward, probe: connected }), endpoint] })).toMatchObject({
      verdict: 'inconclusive',
      summary: expect.stringContaining('contradict each other'),
    });
  });

  test('large packets fail, and the walk does not know why', () => {
    const large = flow({
      id: 'large',
      forward: leafTrace('insufficient-information'),
      probe: probe('no', 'silent', '1450 bytes: no answer'),
    });
    expect(verdict({ flows: [flow({ probe: connected }), large] })).toMatchObject({
      verdict: 'inconclusive',
      class: 'large-packet-loss',
    });
  });

  test('a name that resolves without the connect having been tried is not healthy', () => {
    const lookUp = flow({ id: 'dns/10.96.0.10', probe: probe('yes', 'answered') });
    const about = question({ destination: NAME_END });
    expect(verdict({ flows: [lookUp], question: about })).toMatchObject({ verdict: 'inconclusive' });
  });

  test('a name that no server resolves, for a reason that was not found', () => {
    const lookUp = flow({
      id: 'dns/10.96.0.10',
      forward: leafTrace('insufficient-information'),
      probe: probe('no', 'servfail', 'web.demo.svc.cluster.local at 10.96.0.10: SERVFAIL'),
    });
    const about = question({ destination: NAME_END });
    expect(verdict({ flows: [lookUp, flow({ probe: connected })], question: about })).toMatchObject({
      verdict: 'inconclusive',
      class: 'dns-failure',
      summary: expect.stringContaining('SERVFAIL'),
    });
  });

  test('nothing walked, nothing tried', () => {
    expect(verdict({ flows: [] })).toMatchObject({
      verdict: 'inconclusive',
      summary: 'the flow could not be walked or tried',
    });
  });

  test('a mere suspicion is named in the sentence, and does not make a fault of it', () => {
    const undecided = flow({ forward: forked('undecided', 'dropped-by-rule', 'delivered') });
    const maybe = cause({ claims: [{ flow: 'main', leg: 'forward', segment: 1 }], evidence: [evidence()] });
    expect(verdict({ flows: [undecided] }, [maybe])).toMatchObject({
      verdict: 'inconclusive',
      summary: expect.stringMatching(/; suspected: IP forwarding is off$/),
    });
  });
});

describe('by design', () => {
  const title = 'Ping is not answered here by design';
  const pingOnly = question({ protocol: 'icmp' });
  const notPermitted = probe('unknown', 'not-permitted', 'ping: no permission to send it');
  const silent = probe('no', 'silent');
  const claims = [{ flow: 'main', leg: 'forward', segment: 0 }] as const;
  const design = (finding: Parameters<typeof cause>[0]): Cause => cause(finding, { gravity: 'by-design', title });
  const refused = (more: Partial<Parameters<typeof flow>[0]> = {}): Flow =>
    flow({ protocol: 'icmp', forward: leafTrace('rejected-by-rule'), probe: silent, ...more });

  test('it accounts for the asked flow’s death: healthy, and said why', () => {
    expect(verdict({ flows: [refused()], question: pingOnly }, [design({ claims })])).toEqual({
      verdict: 'healthy',
      class: null,
      summary: `By design: ${title}`,
    });
  });

  test('the source may not send it, and the walk is delivered', () => {
    const main = flow({ protocol: 'icmp', probe: notPermitted });
    const found = design({ evidence: [notPermitted.evidence] });
    expect(verdict({ flows: [main], question: pingOnly }, [found])).toMatchObject({ verdict: 'healthy' });
  });

  test('the source may not send it, and the walk does not know: nothing was shown', () => {
    const forward = leafTrace('insufficient-information');
    const main = flow({ protocol: 'icmp', forward, probe: notPermitted });
    const found = design({ evidence: [notPermitted.evidence] });
    expect(verdict({ flows: [main], question: pingOnly }, [found])).toMatchObject({ verdict: 'inconclusive' });
  });

  test('it speaks of something else', () => {
    const main = flow({ protocol: 'icmp', probe: notPermitted });
    expect(verdict({ flows: [main], question: pingOnly }, [design({})])).toMatchObject({ verdict: 'inconclusive' });
  });

  test('another way of the flow dies beside it', () => {
    const main = refused({ forward: forked('random', 'rejected-by-rule', 'no-route') });
    const found = design({ claims: [{ flow: 'main', leg: 'forward', segment: 1 }] });
    expect(verdict({ flows: [main], question: pingOnly }, [found])).toMatchObject({ verdict: 'fault' });
  });

  test('something else that was tried fails', () => {
    const endpoint = flow({
      id: 'endpoint/10.244.2.7',
      forward: leafTrace('insufficient-information'),
      probe: timedOut,
    });
    expect(verdict({ flows: [refused(), endpoint], question: pingOnly }, [design({ claims })])).toMatchObject({
      verdict: 'inconclusive',
    });
  });
});
