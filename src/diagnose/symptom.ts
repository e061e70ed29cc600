import { answeredBy } from './answered-by.ts';
import type { ClassId } from './cause.ts';
import type { Derived, Flow } from './derived.ts';
import { walkAnswer } from './walk-answer.ts';

export interface WorkflowStep {
  /** Id of the step in the decision procedure (`podtriage workflow`). */
  readonly step: string;
  readonly question: string;
  readonly answer: string;
  readonly because: string;
}

export interface Symptom {
  readonly class: ClassId | null;
  readonly steps: readonly WorkflowStep[];
}

type Passed = 'yes' | 'no' | 'unknown';

/**
 * The decision procedure for pod networks: ping by the given name, the port, the name, the address, the CNI, the capture.
 * Every answer is a probe's; where none was made, the walk answers and the step says so.
 */
export function symptomOf(given: Derived): Symptom {
  const steps: WorkflowStep[] = [];
  const main = flowOf(given, 'main');
  const icmp = flowOf(given, 'icmp') ?? (main?.protocol === 'icmp' ? main : undefined);
  const say = (step: string, question: string, flow: Flow | undefined): Passed => {
    const answer = answerOf(flow);
    steps.push({ step, question, answer: answer.passed, because: answer.because });
    return answer.passed;
  };

  if (given.question.destination.kind === 'name') {
    const names = given.flows.filter((flow) => flow.purpose === 'dns');
    const dns = names.map((flow) =>
      say(
        'resolve-name',
        `does ${given.question.destination.kind === 'name' ? given.question.destination.host : ''} resolve at ${flow.destination}?`,
        flow,
      ),
    );
    if (dns.length > 0 && dns.every((passed) => passed === 'no')) {
      for (const flow of given.flows.filter((candidate) => candidate.purpose === 'dns-endpoint'))
        say('dns-server-direct', `does the DNS server ${flow.destination} itself answer?`, flow);
      return { class: 'dns-failure', steps };
    }
    if (!main) return { class: null, steps };
  }

  const pinged = icmp ? say('ping', 'does ping get through?', icmp) : 'unknown';
  if (!main || main.protocol === 'icmp') return finishPing(given, steps, pinged, say);
  const connected = say('port-open', `does ${main.protocol}/${main.port ?? ''} of ${main.destination} answer?`, main);
  if (connected === 'yes') return finishOpen(given, steps, say);
  if (connected === 'unknown') {
    const past = flowOf(given, 'past-proxy');
    if (past) say('past-proxy', 'does it answer past the proxy that takes the pod’s connections?', past);
    return { class: null, steps };
  }
  return finishClosed(given, steps, pinged, main, say);
}

type Say = (step: string, question: string, flow: Flow | undefined) => Passed;

function finishPing(given: Derived, steps: WorkflowStep[], pinged: Passed, say: Say): Symptom {
  if (pinged === 'yes') return finishOpen(given, steps, say);
  return { class: pinged === 'no' ? 'network-unreachable' : null, steps };
}

function finishOpen(given: Derived, steps: WorkflowStep[], say: Say): Symptom {
  const large = flowOf(given, 'large');
  if (large && say('sizes', 'do large packets get through as well?', large) === 'no')
    return { class: 'large-packet-loss', steps };
  return { class: null, steps };
}

function finishClosed(given: Derived, steps: WorkflowStep[], pinged: Passed, main: Flow, say: Say): Symptom {
  const endpoints = given.flows.filter((flow) => flow.purpose === 'endpoint');
  const direct = endpoints.map((flow) =>
    say('endpoint-direct', `does the endpoint ${flow.destination}:${flow.port ?? ''} answer past the Service?`, flow),
  );
  if (direct.includes('yes')) return { class: 'port-unreachable', steps };
  if (isRefused(main)) return { class: 'port-unreachable', steps };
  if (pinged === 'yes') return { class: 'port-unreachable', steps };
  // A ClusterIP never answers ping in iptables and nftables mode: the endpoints decide, or nothing does.
  const isService = given.question.destination.kind === 'service';
  if (isService && direct.length === 0) return { class: 'port-unreachable', steps };
  return { class: 'network-unreachable', steps };
}

/** Somebody answered: the probe was refused, or, where none was made, every way of the walk ends in a reset. */
function isRefused(flow: Flow): boolean {
  if (flow.probe) return flow.probe.outcome === 'refused' || flow.probe.outcome === 'reset';
  return flow.dead.length > 0 && flow.dead.every((leaf) => leaf.end.senderSees === 'reset');
}

function flowOf(given: Derived, purpose: Flow['purpose']): Flow | undefined {
  return given.flows.find((flow) => flow.purpose === purpose);
}

function answerOf(flow: Flow | undefined): { passed: Passed; because: string } {
  if (!flow) return { passed: 'unknown', because: 'not tried' };
  if (flow.probe) return { passed: answeredBy(flow.probe), because: flow.probe.statement };
  return walkAnswer(flow);
}
