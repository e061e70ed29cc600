import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import { wordsOfArguments } from '../../src/cli/words-of-arguments.ts';
import type { Host } from '../../src/host/host.ts';
import { createReplayHost } from '../../src/host/replay.ts';
import { renderTraceJson } from '../../src/report/json.ts';
import type { TraceReport } from '../../src/report/trace-report.ts';
import { traceSchema } from '../../src/report/trace-schema.ts';
import { renderTraceText } from '../../src/report/trace-text.ts';
import type { RoundTrip, Trace } from '../../src/simulate/trace.ts';
import { decodeBundle } from '../../src/snapshot/bundle.ts';
import { isTargetProblem } from '../../src/target/question.ts';
import { type SimulateOptions, simulateQuestion } from '../../src/triage/simulate-question.ts';
import { parseWhatIf } from '../../src/triage/what-if/what-if.ts';
import { ROOT } from '../tidy/sources.ts';

/** The walk of every recorded case, by itself: no probes, no causes. */
const FOLDER = join(ROOT, 'scenarios');
const recorded = readdirSync(FOLDER).filter((id) => existsSync(join(FOLDER, id, 'bundle.tar.gz')));

const OPTIONS: SimulateOptions = {
  signal: new AbortController().signal,
  tell: () => {},
  notes: [],
  prepare: () => {},
  isLive: false,
  allRules: false,
  whatIf: [],
};

type Asked = readonly [sign: 'with' | 'without', text: string];

async function outcomeOf(id: string, asked: readonly Asked[] = [], more: Partial<SimulateOptions> = {}) {
  const { question } = JSON.parse(readFileSync(join(FOLDER, id, 'expect.json'), 'utf8')) as { question: string[] };
  const { replies } = await decodeBundle(readFileSync(join(FOLDER, id, 'bundle.tar.gz')));
  const whatIf = asked.map(([sign, text]) => parseWhatIf(sign, text)).filter((one) => !isTargetProblem(one));
  expect(whatIf).toHaveLength(asked.length);
  return simulateQuestion(createReplayHost(replies), wordsOfArguments(question), { ...OPTIONS, whatIf, ...more });
}

async function traceOf(...args: Parameters<typeof outcomeOf>): Promise<TraceReport> {
  const outcome = await outcomeOf(...args);
  if (outcome.kind === 'problem') throw new Error(outcome.problem.problem);
  return outcome.report;
}

/**
 * What no walk of the asked packet shows: DNS that fails, a fabric that blocks, a size that a SYN has not, a user without
 * rights, checksums that a NIC spoils, a queue or a buffer that is full.
 */
const DELIVERED = [
  'dns-no-endpoints',
  'dns-wrong-nameserver',
  // Of these only large packets die; the one that is asked for is a SYN.
  'fragments-dropped',
  'mtu-mismatch-node',
  'mtu-mismatch-veth',
  'mtu-stale-pmtu-cache',
  'pmtu-black-hole',
  'overlay-mtu-too-large',
  'overlay-port-blocked-fabric',
  'ping-not-permitted',
  'qdisc-shaping-drops',
  'udp-buffer-errors',
  'vxlan-bad-checksum',
];
/** There is no packet to walk: no address is known. */
const NO_PACKET = ['cni-config-missing', 'dns-name-not-found', 'dns-truncation', 'dns-upstream-unreachable'];

describe('how each recorded case ends', () => {
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true }).compile(traceSchema);

  test.each(recorded.filter((id) => !NO_PACKET.includes(id)))('%s', async (id) => {
    const report = await traceOf(id);
    const isDelivered = id.startsWith('healthy-') || DELIVERED.includes(id);
    expect(report.verdict, report.summary).toBe(isDelivered ? 'delivered' : 'lost');
    expect(validate(JSON.parse(renderTraceJson(report))), JSON.stringify(validate.errors)).toBe(true);
    const text = renderTraceText(report, { color: false, columns: 80, verbose: true, allBranches: true });
    expect(text).toContain(isDelivered ? '✓ DELIVERED' : '✗ LOST');
  });

  test.each(NO_PACKET)('%s: there is nothing to walk, and that is said', async (id) => {
    expect(await outcomeOf(id)).toMatchObject({
      kind: 'problem',
      problem: { problem: expect.stringMatching(/address/) },
    });
  });
});

/** The change that mends the fault, and nothing else, as the walk of the asked packet shows it. */
const MENDED: readonly (readonly [id: string, ...Asked[]])[] = [
  ['forward-policy-drop', ['with', 'policy FORWARD ACCEPT']],
  ['ip-forward-disabled', ['with', 'sysctl net.ipv4.ip_forward=1']],
  ['pod-cidr-route-missing', ['with', 'route add 10.244.1.0/24 via 10.244.1.0 dev flannel.1 onlink @w1']],
  ['pod-cidr-route-missing', ['with', 'route add 10.244.1.0/24 via 10.81.216.12 dev eth0 @w1']],
  ['pod-cidr-route-missing-back', ['with', 'route add 10.244.0.0/24 via 10.244.0.0 dev flannel.1 onlink @w2']],
  ['host-firewall-drop', ['without', 'rule FORWARD 1 filter']],
  ['host-firewall-drop', ['without', 'rule -A FORWARD -p tcp -m tcp --dport 8080 -j DROP']],
  ['host-firewall-drop-nft', ['without', 'rule nft inet corp_firewall forward#1']],
  ['host-firewall-reject', ['without', 'rule INPUT 1 filter']],
  ['overlay-port-blocked', ['without', 'rule filter INPUT#1 @w2']],
  ['link-down', ['with', 'link cni0 up']],
  ['no-listener', ['with', 'socket tcp *:8080']],
  ['listens-on-loopback', ['with', 'socket tcp 0.0.0.0:8080']],
  ['neighbour-unresolved', ['with', 'neigh 10.81.216.12 dev eth0 lladdr 42:2e:cd:a5:64:db @w1']],
  [
    'egress-not-masqueraded',
    ['with', 'rule -t nat -A POSTROUTING -s 10.244.0.0/16 ! -d 10.244.0.0/16 -j MASQUERADE @w1'],
  ],
  [
    'rp-filter-drop',
    ['with', 'sysctl net.ipv4.conf.all.rp_filter=0 @w2'],
    ['with', 'sysctl net.ipv4.conf.eth0.rp_filter=0 @w2'],
  ],
];

describe('what would mend it', () => {
  test.each(MENDED.map(([id, ...asked]) => [id, asked] as const))('%s: %j', async (id, asked) => {
    const report = await traceOf(id, asked);
    expect(report.whatIf?.before.verdict).toBe('lost');
    expect(report.verdict, report.summary).toBe('delivered');
    expect(report.whatIf?.changes).toHaveLength(asked.length);
    const text = renderTraceText(report, { color: false, columns: 100, verbose: false, allBranches: false });
    expect(text.replaceAll(/\s+/g, ' ')).toContain(`was: ${report.whatIf!.before.summary}`);
  });

  test('one of two settings that both forbid it is not enough', async () => {
    const report = await traceOf('rp-filter-drop', [['with', 'sysctl net.ipv4.conf.all.rp_filter=2 @w1']]);
    expect([report.verdict, report.summary]).toEqual(['lost', report.whatIf!.before.summary]);
  });

  test.each([
    [
      'healthy-pod-service',
      ['with', 'rule -I FORWARD -d 10.244.1.4 -j DROP @w2'],
      /rule filter FORWARD#1 \(w2\) \[50 % of/,
    ],
    ['healthy-pod-pod-cross-node', ['with', 'link flannel.1 down @w1'], /\(w1\)/],
    ['healthy-pod-pod-cross-node', ['without', 'socket tcp 8080 @pod/demo/web-4hqhs'], /nobody listens there/],
    ['healthy-pod-pod-same-node', ['with', 'policy FORWARD DROP @w1'], /^$/],
  ] as const)('what would break %s: %j', async (id, asked, summary) => {
    const report = await traceOf(id, [asked]);
    // FLANNEL-FWD accepts before the policy is asked.
    if (summary.source === '^$') expect(report.verdict).toBe('delivered');
    else expect([report.verdict, report.summary]).toEqual(['lost', expect.stringMatching(summary)]);
  });

  test.each([
    [['with', 'sysctl net.ipv4.ip_forwrd=1'], /did you mean|no sysctl/],
    [['without', 'rule FORWARD 99'], /filter FORWARD has \d+ rules/],
  ] as const)('a change that means nothing is a problem: %j', async (asked, problem) => {
    const outcome = await outcomeOf('forward-policy-drop', [asked]);
    expect(outcome).toMatchObject({ kind: 'problem', problem: { problem: expect.stringMatching(problem) } });
  });
});

describe('every rule', () => {
  const withoutPassed = (trip: RoundTrip): unknown => {
    const bare = (trace: Trace): unknown =>
      trace.segments.map(({ hops, then }) => ({
        hops: hops.map((hop) => ({ ...hop, steps: hop.steps.filter((step) => step.matched !== 'no') })),
        // Where an end stands is counted among all steps.
        end: 'end' in then ? [then.end, then.senderSees, then.packet] : [then.fork, then.to],
      }));
    return [bare(trip.forward), ...trip.replies.map((reply) => bare(reply.trace))];
  };

  test.each(['healthy-pod-service', 'host-firewall-drop-nft', 'healthy-outside-nodeport'])(
    'that was passed over is told beside an otherwise equal walk: %s',
    async (id) => {
      const [few, all] = [await traceOf(id), await traceOf(id, [], { allRules: true })];
      expect(withoutPassed(all.trip)).toEqual(withoutPassed(few.trip));
      expect([all.verdict, all.summary]).toEqual([few.verdict, few.summary]);
      const passed = all.trip.forward.segments
        .flatMap((segment) => segment.hops.flatMap((hop) => hop.steps))
        .filter((step) => step.matched === 'no');
      expect(passed.length).toBeGreaterThan(20);
      for (const step of passed) expect(step.values['failed'], step.at).toMatch(/\S/);
    },
  );
});

test('a packet of another size meets another end', async () => {
  const report = await traceOf('healthy-pod-pod-cross-node', [], { lengthBytes: 1500 });
  expect([report.verdict, report.ends[0]!.disposition]).toEqual(['lost', 'packet-too-big']);
});

test.each([
  [undefined, 'unknown'],
  [1000, 'lost'],
  [1001, 'delivered'],
] as const)('whose socket it is decides a rule about owners: user %s, %s', async (asUser, verdict) => {
  const asked = ['with', 'rule -I OUTPUT -p tcp -m owner --uid-owner 1000 -j DROP @w1'] as const;
  const report = await traceOf('healthy-node-service', [asked], asUser === undefined ? {} : { asUser });
  expect(report.verdict, report.summary).toBe(verdict);
  if (verdict === 'unknown') expect(report.summary).toMatch(/^perhaps dropped by the rule filter OUTPUT#1 \(w1\)/);
});

test('a walk as a person reads it, with the lines of the real rule sets', async () => {
  const report = await traceOf('forward-policy-drop');
  const text = renderTraceText(report, { color: false, columns: 100, verbose: false, allBranches: false });
  // Names, MACs and counters are those of the day on which it was recorded.
  for (const part of [
    /✗ LOST\n {2}dropped by the policy of filter FORWARD \(w2\)\n/,
    /\n 1 pod\/demo\/client-\w+ on w1: sent here, out by eth0\n {3}packet {6}tcp 10.244.0.4:\* → 10.244.1.4:8080 SYN, ttl 64,/,
    /\n {3}routing {5}10.244.1.4: 10.244.0.0\/16 via 10.244.0.1 dev eth0\n/,
    /\n 2 w1: in by veth\w+, out by flannel.1\n/,
    /\n {3}prerouting {2}nat PREROUTING#1: calls KUBE-SERVICES, where nothing matches \[kube-proxy · \d+\s+packets\]\n/,
    /\n {17}line \d+: -A PREROUTING -m comment --comment "kubernetes service portals" -j\n {17}KUBE-SERVICES\n/,
    /\n {17}filter FLANNEL-FWD#1: accept \[flannel · \d+ packets\]\n {19}line \d+: -A FLANNEL-FWD -s/,
    /\n {3}routing {5}10.244.1.4: 10.244.1.0\/24 via 10.244.1.0 dev flannel.1 onlink \[flannel\]\n/,
    /\n 3 w1: sent here, out by eth0\n {3}packet {6}udp 10.\d+.\d+.11:\* → 10.\d+.\d+.12:8472, ttl 64, 110 bytes, vxlan 1, around tcp\n/,
    /\n 5 w2: in by flannel.1\n {3}packet {6}tcp 10.244.0.4:\* → 10.244.1.4:8080 SYN, ttl 64 → 63, mss 1410, 60 bytes, DF\n/,
    /\n {15}filter FORWARD: no rule decided, policy DROP \[\d+ packets?\]\n ✗ dropped by the policy of filter FORWARD \(w2\)\n/,
    /\n {3}the sender sees nothing: a time-out\n/,
  ])
    expect(text).toMatch(part);
});

test('of a live cluster nothing is probed, and the names of what was created come from its end', async () => {
  const { replies } = await decodeBundle(readFileSync(join(FOLDER, 'healthy-pod-service', 'bundle.tar.gz')));
  const replay = createReplayHost(replies);
  const asked = new Set<string>();
  const prepared: string[] = [];
  const host: Host = {
    ...replay,
    perform: (requests, ...rest) => {
      for (const request of requests) asked.add(request.action);
      return replay.perform(requests, ...rest);
    },
    close: async () => ['job/podtriage-w1 in namespace podtriage: removed'],
  };
  const words = wordsOfArguments(['pod/demo/client-jnxdb', 'svc/demo/web:80']);
  const prepare = (nodes: readonly string[]) => void prepared.push(...nodes);
  const outcome = await simulateQuestion(host, words, { ...OPTIONS, isLive: true, prepare });
  expect(outcome).toMatchObject({ kind: 'trace', report: { verdict: 'delivered', created: [expect.any(String)] } });
  expect([...asked].filter((action) => action.startsWith('probe.'))).toEqual([]);
  expect(prepared.toSorted()).toEqual(['w1', 'w2']);
  if (outcome.kind === 'trace')
    expect(
      renderTraceText(outcome.report, { color: false, columns: 100, verbose: false, allBranches: false }),
    ).toContain('CREATED IN THE CLUSTER\n  · job/podtriage-w1');
});
