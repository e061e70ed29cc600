/**
 * Writes what podtriage's own collectors read of one network namespace into a folder, one file a fact:
 *   node capture.ts --pid PID --out FOLDER [--probes PROBES.json]
 * The node's namespaces are those of PID. An empty answer makes no file; `index.json` lists every question that was
 * answered, so that an empty answer and one that was never had are told apart.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Reply, Request } from '../../../src/host/host.ts';
import { createLocalHost } from '../../../src/host/local.ts';
import { missingFacts } from '../../../src/simulate/facts-for-namespace.ts';
import { createSnapshot } from '../../../src/snapshot/create-snapshot.ts';
import { type Fixture, fileOf, HERE } from '../fixture.ts';
import type { Probe } from '../probe.ts';
import { walkProbe } from '../walk-probe.ts';

const { values } = parseArgs({
  options: { pid: { type: 'string' }, out: { type: 'string' }, probes: { type: 'string' } },
});
if (values.pid === undefined || values.out === undefined) throw new Error('--pid PID --out FOLDER');
const out = values.out;
/** A walk's answers tell what it wants next. */
const ROUNDS_MAX = 6;

const host = createLocalHost({ nodes: { [HERE.node]: { initPid: Number(values.pid) } } });
const replies: Reply[] = [];

const probes = values.probes === undefined ? [] : (JSON.parse(readFileSync(values.probes, 'utf8')) as Probe[]);
for (let round = 0; round < ROUNDS_MAX; round++) await ask(wanted());
await host.close();
rmSync(out, { recursive: true, force: true });
mkdirSync(out, { recursive: true });
const index = [];
for (const reply of replies) {
  const { action, args } = reply.request;
  const whole = reply.got === 'raw' ? new TextDecoder().decode(reply.raw) : undefined;
  if (whole === undefined) throw new Error(`${action} ${JSON.stringify(args)}: ${JSON.stringify(reply)}`);
  const text = action === 'sysctls' ? onlyRead(whole) : whole;
  const file = fileOf(action, args);
  index.push({ action, args, ...(text.trim() === '' ? {} : { file }) });
  if (text.trim() !== '') writeFileSync(join(out, file), text.endsWith('\n') ? text : `${text}\n`);
}
const lines = index.map((one) => JSON.stringify(one)).toSorted();
writeFileSync(join(out, 'index.json'), `[\n${lines.join(',\n')}\n]\n`);

/** The settings that the walk reads; hundreds of others would only make the fixtures big. */
function onlyRead(text: string): string {
  const { files } = JSON.parse(text) as { files: { path: string }[] };
  const read =
    /\/(?:ip_forward|forwarding|rp_filter|route_localnet|accept_local|bridge-nf-call-\w+|src_valid_mark|icmp_echo_ignore_all|echo_ignore_all)$/;
  const kept = files.filter(({ path }) => read.test(path)).map((file) => JSON.stringify(file));
  return `{"files":[\n${kept.join(',\n')}\n]}`;
}

/** What a walk through this namespace reads, and what the walks of these packets want besides. */
function wanted(): Request[] {
  const snapshot = createSnapshot(replies);
  const missing = ([4, 6] as const).flatMap((family) => missingFacts(snapshot, HERE, family));
  if (missing.length > 0) return missing;
  const fixture: Fixture = { name: out, answers: [], snapshot, textOf: () => '', probes: [] };
  const wants = probes.flatMap((probe) => walkProbe(fixture, probe).flatMap(({ leaf }) => leaf.wants));
  return wants.filter(({ place }) => place.node === HERE.node && place.namespace === HERE.namespace);
}

async function ask(some: readonly Request[]): Promise<void> {
  const known = new Set(replies.map(({ request }) => JSON.stringify([request.action, request.args])));
  const fresh = some.filter((request) => {
    const key = JSON.stringify([request.action, request.args]);
    return !known.has(key) && known.add(key);
  });
  if (fresh.length === 0) return;
  const limits = { deadlineMs: Date.now() + 60_000, maxBytes: 1 << 26 };
  for await (const reply of host.perform(fresh, limits, AbortSignal.timeout(60_000))) replies.push(reply);
}
