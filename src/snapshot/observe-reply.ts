import type { Reply } from '../host/host.ts';
import { BYTES_PARSERS, FACT_PARSERS } from './fact-parsers.ts';
import type { FactName, Facts } from './facts.ts';
import type { Observed } from './snapshot.ts';

/** What the shell and the node side say where there is no such program. */
const COMMAND_NOT_FOUND = 127;

/** A reply is parsed once, on first ask, however many snapshots hold it. */
const parsedReplies = new WeakMap<Reply, Observed<unknown>>();

/** The reply as an observation of the fact that it was asked for. */
export function observeReply<K extends FactName>(name: K, reply: Reply): Observed<Facts[K]> {
  const known = parsedReplies.get(reply);
  if (known) return known as Observed<Facts[K]>; // the request's action is the fact's name, so the type is the same
  const observed = observe(name, reply);
  parsedReplies.set(reply, observed);
  return observed;
}

function observe<K extends FactName>(name: K, reply: Reply): Observed<Facts[K]> {
  const { request } = reply;
  if (reply.got === 'nothing') return { state: 'unseen', gap: reply.gap, detail: reply.detail, want: request };
  const { exitCode, raw, tool } = reply;
  if (exitCode === COMMAND_NOT_FOUND) {
    return { state: 'unseen', gap: 'not-installed', detail: `the tool for ${name} is not installed`, want: request };
  }
  if (exitCode !== 0 && raw.length === 0) {
    return { state: 'unseen', gap: 'failed', detail: `${name}: exit code ${exitCode} without output`, want: request };
  }
  const parsed = BYTES_PARSERS[name]?.(raw) ?? FACT_PARSERS[name](new TextDecoder().decode(raw), request.args, tool);
  if ('unreadable' in parsed) {
    return { state: 'unseen', gap: 'failed', detail: `${name}: ${parsed.unreadable}`, want: request };
  }
  return {
    state: 'seen',
    value: parsed.value,
    source: { request },
    complete: !reply.truncated && exitCode === 0,
    unparsed: parsed.unparsed.map(({ line, text }) => ({ request, ...(line > 0 && { line }), text })),
  };
}
