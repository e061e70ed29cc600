import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Gap, Reply, Request } from '../../src/host/host.ts';
import type { QuestionWords } from '../../src/target/resolve-question.ts';

/** One recorded answer as `replies.json` keeps it: the tool's own text, to be read by a person and by the parsers of the day. */
export type RecordedReply = { readonly request: Request } & (
  | { readonly raw: string; readonly exitCode: number; readonly tool: string; readonly truncated?: boolean }
  | { readonly gap: Gap; readonly detail: string }
);

type Verdict = 'fault' | 'healthy' | 'inconclusive';

/** `expect.json`: what a diagnosis of this case must say, and must not. */
export interface Expectation {
  readonly question: QuestionWords;
  /** With the recorded answers of the probes: what they saw decides, unless they prove nothing. */
  readonly verdict: Verdict;
  /** By the state alone. */
  readonly verdictWithoutProbes: Verdict;
  /** Ids of causes that may be named; empty: none at all. */
  readonly causes: readonly string[];
  /** Parts of the datapath gate that must be there, as subsets. */
  readonly gate: readonly {
    readonly role: string;
    readonly by: string;
    readonly mode?: string;
    readonly modelled: boolean;
    readonly pod?: string;
  }[];
  /** `walked`: no part stands in the way; else the place that must be called unmodelled. */
  readonly unmodelled: readonly { readonly node: string; readonly namespace: string; readonly by: string }[];
  readonly walked: readonly { readonly node: string; readonly namespace: string }[];
  readonly podAddressesRoutable: 'yes' | 'no' | 'unknown';
}

export interface Scenario {
  readonly id: string;
  readonly story: string;
  readonly replies: readonly Reply[];
  readonly expect: Expectation;
}

export const SCENARIOS_DIRECTORY = join(import.meta.dirname, '../../scenarios');

/** The constructed cases: those with a `replies.json`. */
export function constructedScenarios(directory = SCENARIOS_DIRECTORY): readonly string[] {
  return readdirSync(directory, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && entry.name.startsWith('constructed-'))
    .map((entry) => entry.name)
    .sort();
}

export function loadScenario(id: string, directory = SCENARIOS_DIRECTORY): Scenario {
  const read = (name: string): string => readFileSync(join(directory, id, name), 'utf8');
  const recorded = JSON.parse(read('replies.json')) as RecordedReply[];
  return {
    id,
    story: read('story.md'),
    replies: recorded.map(toReply),
    expect: JSON.parse(read('expect.json')) as Expectation,
  };
}

/** The recorder's way back: text for `replies.json`, one reply a line so that a change shows as one. */
export function encodeReplies(replies: readonly Reply[]): string {
  return `[\n${replies.map((one) => JSON.stringify(toRecorded(one))).join(',\n')}\n]\n`;
}

function toReply(recorded: RecordedReply): Reply {
  const head = { request: recorded.request, startedAtMs: 0, tookMs: 0 };
  if ('gap' in recorded) return { ...head, got: 'nothing', gap: recorded.gap, detail: recorded.detail };
  const { raw, exitCode, tool, truncated = false } = recorded;
  return { ...head, got: 'raw', raw: new TextEncoder().encode(raw), exitCode, tool, truncated };
}

function toRecorded(reply: Reply): RecordedReply {
  if (reply.got === 'nothing') return { request: reply.request, gap: reply.gap, detail: reply.detail };
  const { request, exitCode, tool, truncated } = reply;
  const raw = new TextDecoder().decode(reply.raw);
  return { request, raw, exitCode, tool, ...(truncated ? { truncated } : {}) };
}
