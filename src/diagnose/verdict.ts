import { answeredBy } from './answered-by.ts';
import type { ClassId } from './cause.ts';
import type { Derived, Flow } from './derived.ts';
import { endpointAnswers } from './disagreements.ts';
import type { Diagnosis } from './engine.ts';
import { isAside } from './is-aside.ts';
import { isCertain, leafKey } from './leaves.ts';
import type { Named } from './named.ts';
import type { Symptom } from './symptom.ts';
import { type WalkAnswer, walkAnswer } from './walk-answer.ts';

export interface Verdict {
  readonly verdict: 'fault' | 'healthy' | 'inconclusive';
  readonly class: ClassId | null;
  /** One sentence for a person. */
  readonly summary: string;
}

/**
 * The verdict on the question. A fault needs a cause or a dead end; healthy needs an answer from the question's own flow
 * (a probe, or a walk without doubt) and nothing else that failed; everything else could not be told.
 */
export function verdictOf(given: Derived, diagnosis: Diagnosis, symptom: Symptom): Verdict {
  const [first] = diagnosis.causes.filter(
    (named) => named.cause.gravity === 'fault' && named.confidence !== 'suspected',
  );
  if (first) return fault(first, symptom);
  const deaths = diagnosis.unexplained.filter((death) => isFinding(death, given));
  const confirmed = deaths.find(({ flow }) => flow.probe?.passed === 'no');
  if (confirmed) return unexplainedFault(confirmed, symptom);
  const couldNotTell = (summary: string): Verdict => ({ verdict: 'inconclusive', class: symptom.class, summary });
  if (diagnosis.disagreements.length > 0)
    return couldNotTell(`The kernel's state and the probes contradict each other (${diagnosis.disagreements[0]})`);
  if (deaths.length > 0) return unexplainedFault(deaths[0]!, symptom);
  const design = byDesign(given, diagnosis);
  if (design) return { verdict: 'healthy', class: null, summary: `By design: ${design.cause.title}` };
  const asked = answerOf(decisiveFlow(given));
  const failed = given.flows.find((flow) => !isAside(flow) && flow.probe?.passed === 'no');
  if (asked.passed === 'yes' && failed)
    return couldNotTell(`It answers, but not always: ${failed.probe!.statement}${suspicion(diagnosis)}`);
  if (asked.passed === 'yes' && !isNameKnown(given))
    return couldNotTell(`The address answers (${asked.because}), but whether the name leads to it was not seen`);
  if (asked.passed === 'yes')
    return { verdict: 'healthy', class: null, summary: `${asked.because}${untold(given)}${sizesUntold(given)}` };
  if (asked.passed === 'no')
    return couldNotTell(
      `It fails (${asked.because})${suspicion(diagnosis) || ', and nothing that was seen tells why'}`,
    );
  return couldNotTell(`${asked.because}${suspicion(diagnosis)}`);
}

function fault(first: Named, symptom: Symptom): Verdict {
  const place = first.finding.place ?? first.checked.place;
  const where = place.node ? ` (${place.node})` : '';
  return { verdict: 'fault', class: symptom.class ?? first.cause.class, summary: `${first.cause.title}${where}` };
}

type Death = Diagnosis['unexplained'][number];

/** Whether a dead end that no cause claims is a fault by itself: not where only an undecided rule may lead to it, nor where only ping dies. */
function isFinding({ flow, leaf }: Death, given: Derived): boolean {
  if (isAside(flow)) return false;
  return leaf.chance.min > 0 && !endpointAnswers(given.flows, leaf);
}

function unexplainedFault({ leaf }: Death, symptom: Symptom): Verdict {
  const where = `${leaf.end.end} at ${leaf.end.place.node || 'the network'}`;
  if (isCertain(leaf.chance))
    return {
      verdict: 'fault',
      class: symptom.class ?? 'network-unreachable',
      summary: `The packet ends in ${where}, and no known cause claims it`,
    };
  const share = `${Math.round(leaf.chance.min * 100)} %`;
  return {
    verdict: 'fault',
    class: symptom.class ?? 'intermittent',
    summary: `Of the connections at least ${share} end in ${where}, and no known cause claims it`,
  };
}

/**
 * What keeps the asked flow from being answered, and is meant to: only where it accounts for the flow's every death and the
 * walk has no other doubt, and where nothing else that was tried fails.
 */
function byDesign(given: Derived, { causes }: Diagnosis): Named | undefined {
  const main = given.flows.find((flow) => flow.purpose === 'main');
  if (!main || main.probe?.passed === 'yes' || main.unknown.length > 0) return undefined;
  if (given.flows.some((flow) => flow !== main && !isAside(flow) && flow.probe?.passed === 'no')) return undefined;
  return causes.find((named) => {
    if (named.cause.gravity !== 'by-design') return false;
    const claims = new Set(named.finding.claims.map(leafKey));
    if (main.dead.length > 0) return main.dead.every((leaf) => claims.has(leafKey(leaf.ref)));
    const speaksOfMain = named.finding.evidence.some((evidence) => evidence === main.probe?.evidence);
    return speaksOfMain && main.probe?.passed === 'unknown' && walkAnswer(main).passed === 'yes';
  });
}

function suspicion({ causes }: Diagnosis): string {
  const suspected = causes.find((named) => named.cause.gravity === 'fault');
  return suspected ? `; suspected: ${suspected.cause.title}` : '';
}

/** Ways of the asked flow that neither the probe took for certain nor the walk could tell. */
function untold(given: Derived): string {
  const main = given.flows.find((flow) => flow.purpose === 'main');
  if (!main) return '';
  const open = main.unknown.filter(
    (leaf) => !isCertain(leaf.chance) && leaf.chance.min > 0 && !endpointAnswers(given.flows, leaf),
  );
  return open.length > 0 ? `; ${open.length} other ${open.length === 1 ? 'way' : 'ways'} could not be told` : '';
}

/** Small packets got through, and the large one was not sent, or is lost where small pings are not answered either. */
function sizesUntold({ flows }: Derived): string {
  const main = flows.find((flow) => flow.purpose === 'main');
  const large = flows.find((flow) => flow.purpose === 'large');
  if (!main?.probe || !large) return '';
  const isTold = large.probe && (large.probe.passed !== 'unknown' || large.probe.outcome === 'too-big');
  return isTold ? '' : '; whether large packets get through was not seen';
}

/** That a Service of that name is there does not tell that its name resolves: only a nameserver that answered does. */
function isNameKnown({ flows, question }: Derived): boolean {
  if (question.destination.kind !== 'name') return true;
  return flows.some((flow) => flow.purpose === 'dns' && flow.probe && answeredBy(flow.probe) === 'yes');
}

/** The flow that answers the question: main, or the look-up of the name where no nameserver answers it. */
function decisiveFlow(given: Derived): Flow | undefined {
  const lookUps = given.flows.filter((flow) => flow.purpose === 'dns' && flow.probe);
  const isName = given.question.destination.kind === 'name';
  if (isName && lookUps.length > 0 && lookUps.every((flow) => flow.probe && answeredBy(flow.probe) === 'no'))
    return lookUps[0];
  return given.flows.find((flow) => flow.purpose === 'main');
}

function answerOf(flow: Flow | undefined): WalkAnswer {
  if (!flow) return { passed: 'unknown', because: 'the flow could not be walked or tried' };
  return flow.probe ? { passed: answeredBy(flow.probe), because: flow.probe.statement } : walkAnswer(flow);
}
