import type { ClassId } from './cause.ts';
import type { Derived, Flow } from './derived.ts';
import type { Diagnosis, Named } from './engine.ts';
import { type Symptom, walkAnswer } from './symptom.ts';

export interface Verdict {
  readonly verdict: 'fault' | 'healthy' | 'inconclusive';
  readonly class: ClassId | null;
  /** One sentence for a person. */
  readonly summary: string;
}

/**
 * The verdict on the question. Healthy needs an answer from the question's own flow (a probe, or a walk without doubt);
 * a fault needs a cause or a dead end; everything else could not be told.
 */
export function verdictOf(given: Derived, diagnosis: Diagnosis, symptom: Symptom): Verdict {
  const faults = diagnosis.causes.filter(
    (named) => named.cause.gravity === 'fault' && named.confidence !== 'suspected',
  );
  if (faults.length > 0) return fault(faults[0]!, symptom);
  const decisive = decisiveFlow(given);
  const asked = decisive
    ? answer(decisive)
    : { passed: 'unknown' as const, because: 'the flow could not be walked or tried' };
  if (diagnosis.disagreements.length > 0) {
    return {
      verdict: 'inconclusive',
      class: symptom.class,
      summary: `Could not tell: the kernel's state and the probes contradict each other (${diagnosis.disagreements[0]})`,
    };
  }
  const unexplained = diagnosis.unexplained.filter(({ flow, leaf }) => flow.purpose !== 'icmp' && leaf.chance.min > 0);
  if (unexplained.length > 0 && asked.passed !== 'yes') {
    const { leaf } = unexplained[0]!;
    return {
      verdict: 'fault',
      class: symptom.class ?? 'network-unreachable',
      summary: `The packet ends in ${leaf.end.end} at ${leaf.end.place.node || 'the network'}, and no known cause claims it`,
    };
  }
  const largeFails = given.flows.find((flow) => flow.purpose === 'large')?.probe?.passed === 'no';
  if (asked.passed === 'yes' && !largeFails)
    return { verdict: 'healthy', class: null, summary: `Healthy: ${asked.because}` };
  if (asked.passed === 'no')
    return {
      verdict: 'inconclusive',
      class: symptom.class,
      summary: `It fails (${asked.because}), and the cause could not be told from what was seen`,
    };
  return {
    verdict: 'inconclusive',
    class: symptom.class,
    summary: `Could not tell: ${largeFails ? 'large packets fail and no cause was found' : asked.because}`,
  };
}

function fault(first: Named, symptom: Symptom): Verdict {
  const place = first.finding.place ?? first.checked.place;
  const where = place.node ? ` (${place.node})` : '';

  return { verdict: 'fault', class: symptom.class ?? first.cause.class, summary: `${first.cause.title}${where}` };
}

/** The flow that answers the question: main, or where its address is not known the look-up of the name. */
function decisiveFlow(given: Derived): Flow | undefined {
  const main = given.flows.find((flow) => flow.purpose === 'main');
  const dns = given.flows.filter((flow) => flow.purpose === 'dns' && flow.probe);
  if (given.question.destination.kind === 'name' && dns.length > 0 && dns.every((flow) => flow.probe?.passed === 'no'))
    return dns[0];
  return main ?? dns[0];
}

function answer(flow: Flow): { passed: 'yes' | 'no' | 'unknown'; because: string } {
  return flow.probe ? { passed: flow.probe.passed, because: flow.probe.statement } : walkAnswer(flow);
}
