/** `node bench/simulate-run.ts LAYOUT FILE SERVICES`: one process of the simulate bench; a SimulateSample on stdout. */
import { readFileSync } from 'node:fs';
import type { Reply } from '../src/host/host.ts';
import type { Trace } from '../src/simulate/trace.ts';
import { simulateTrace } from '../src/simulate/walk.ts';
import { createSnapshot } from '../src/snapshot/create-snapshot.ts';
import type { Snapshot } from '../src/snapshot/snapshot.ts';
import { iptablesLayout } from './kube-proxy/iptables-layout.ts';
import { NFTABLES_END, nftablesLayout } from './kube-proxy/nftables-layout.ts';
import { type BenchService, makeServices, SERVICE_PORT } from './kube-proxy/services.ts';
import {
  BACKENDS,
  CLIENT,
  CLIENT_ADDRESS,
  NO_TABLES,
  NODE,
  NODE_ADDRESS,
  oneNode,
  replyOf,
  type Wiring,
} from './one-node.ts';

export interface SimulateSample {
  /** From the reply's bytes until a first walk through them has its end. */
  readonly parseCompileMs: number;
  readonly peakRssKib: number;
  readonly walks: readonly { readonly figure: string; readonly medianUs: number }[];
}

type Layout = 'iptables' | 'nftables';

/** Of the Services, this many are walked to again and again, and as many others once. */
const WALKED = 200;
const ROUNDS = 30;

const [layout, file, count] = process.argv.slice(2) as [Layout, string, string];
const services = makeServices(Number(count), BACKENDS);

// The code is loaded and the small facts are parsed: what is measured is the rule set alone.
for (const wiring of ['routed', 'bridged'] as const) walkTo(snapshotOf(wiring, smallRules()), services[5]!);

const raw = readFileSync(file);
const snapshot = snapshotOf('routed', raw);
const startedAt = performance.now();
const trace = walkTo(snapshot, services[services.length >> 1]!);
const parseCompileMs = performance.now() - startedAt;
checkTrace(trace);
const peakRssKib = process.resourceUsage().maxRSS;

const bridged = snapshotOf('bridged', raw);
const walks = [
  { figure: 'walk', medianUs: repeated(snapshot) },
  { figure: 'walk, Service not walked to before', medianUs: once(snapshot) },
  { figure: 'walk, pods on a bridge', medianUs: repeated(bridged) },
];
process.stdout.write(JSON.stringify({ parseCompileMs, peakRssKib, walks } satisfies SimulateSample));

function smallRules(): Uint8Array {
  const few = makeServices(10, BACKENDS);
  const text =
    layout === 'iptables'
      ? `${[...iptablesLayout(few)].join('\n')}\n`
      : `${[...nftablesLayout(few, NODE_ADDRESS)].join(', ')}${NFTABLES_END}`;
  return new TextEncoder().encode(text);
}

function snapshotOf(wiring: Wiring, rules: Uint8Array): Snapshot {
  return createSnapshot([...oneNode(wiring), ...ruleReplies(rules)]);
}

function ruleReplies(rules: Uint8Array): Reply[] {
  const none = new Uint8Array();
  const tables = JSON.stringify({ nftables: [{ table: { family: 'ip', name: 'kube-proxy', handle: 1 } }] });
  const isNft = layout === 'nftables';
  return [
    replyOf('iptables.legacy', NODE, { family: 4 }, none),
    replyOf('iptables.nft', NODE, { family: 4, table: '' }, isNft ? none : rules),
    replyOf('nft.tables', NODE, {}, new TextEncoder().encode(isNft ? tables : NO_TABLES)),
    ...(isNft ? [replyOf('nft.table', NODE, { family: 'ip', name: 'kube-proxy' }, rules)] : []),
  ];
}

function walkTo(snapshot: Snapshot, service: BenchService): Trace {
  return simulateTrace(
    { snapshot, gate: { parts: [], podAddressesRoutable: 'no' } },
    {
      from: CLIENT,
      packet: {
        ip: { source: CLIENT_ADDRESS, destination: service.address, ttl: 64, tos: 0, df: true },
        l4: { protocol: 'tcp', sourcePort: 'ephemeral', destinationPort: SERVICE_PORT, flags: ['syn'], mss: 1460 },
        lengthBytes: 60,
      },
    },
  );
}

/** What is fast because it goes wrong is no measure. */
function checkTrace(trace: Trace): void {
  const ends = trace.segments.flatMap(({ then }) =>
    'end' in then ? [`${then.end} ${then.because ?? ''}`.trim()] : [],
  );
  if (ends.length === BACKENDS.length && ends.every((end) => end === 'delivered')) return;
  throw new Error(`the walk should reach ${BACKENDS.length} backends: ${ends.join(', ')}`);
}

/** The median of single walks to Services that were walked to before. */
function repeated(snapshot: Snapshot): number {
  const picked = pick(0);
  for (const service of picked) checkTrace(walkTo(snapshot, service));
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) times.push(...picked.map((service) => timeOf(snapshot, service)));
  // The first half warms the compiler up.
  return medianUs(times.slice(times.length >> 1));
}

function once(snapshot: Snapshot): number {
  return medianUs(pick(1).map((service) => timeOf(snapshot, service)));
}

function pick(offset: number): BenchService[] {
  const picks = Math.min(WALKED, services.length >> 1);
  return Array.from({ length: picks }, (_, index) => services[Math.floor((index * services.length) / picks) + offset]!);
}

function timeOf(snapshot: Snapshot, service: BenchService): number {
  const startedAt = performance.now();
  walkTo(snapshot, service);
  return performance.now() - startedAt;
}

function medianUs(timesMs: readonly number[]): number {
  return timesMs.toSorted((a, b) => a - b)[timesMs.length >> 1]! * 1000;
}
