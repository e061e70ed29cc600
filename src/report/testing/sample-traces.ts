/** Traces as a run makes them, for the tests of text, JSON and schema; names and lines are a real node's. */
import {
  CLIENT_PLACE,
  fakeSnapshot,
  flow,
  hop,
  leafEnd,
  leafTrace,
  packet,
  question,
  SERVER,
  SERVER_PLACE,
  sourceOf,
  step,
} from '../../diagnose/testing/build-case.ts';
import { hostOf, podPlace } from '../../net/place.ts';
import type { Fork, Hop, LeafEnd, Step, Trace } from '../../simulate/trace.ts';
import { chanceOf, UNDECIDED } from '../../simulate/truth.ts';
import { buildTraceReport, type TraceReportInput } from '../build-trace-report.ts';
import type { TraceReport } from '../trace-report.ts';

export const W1 = hostOf('w1');
export const W2 = hostOf('w2');
const VIP = '10.96.12.34';

/** A rule of iptables-nft as the walk tells it. */
export function ruleStep(
  hook: string,
  table: string,
  ruleText: string,
  more: Partial<Omit<Step, 'values'>> & { readonly line: number; readonly values?: Step['values'] },
): Step {
  const { line, values = {}, ...rest } = more;
  const chain = /^-A (\S+)/.exec(ruleText)![1]!;
  const target = /-[jg] (\S+)/.exec(ruleText)?.[1] ?? '';
  const isCall = /^(KUBE|FLANNEL)-/.test(target);
  const number = values['ruleNumber'] ?? 1;
  return step({
    kind: 'rule',
    at: `${hook} ${table} ${chain}#${String(number)}`,
    source: sourceOf('iptables.nft', W1, line, ruleText),
    values: {
      backend: 'iptables-nft',
      family: 4,
      hook,
      table,
      chain,
      ruleNumber: 1,
      ruleText,
      target,
      ...(isCall ? {} : { verdict: target.toLowerCase() }),
      ...values,
    },
    text: isCall ? `calls ${target}` : target.toLowerCase(),
    ...rest,
  });
}

export const routed = (address: string, routeText: string, values: Step['values'] = {}): Step =>
  step({
    text: `${address}: route`,
    values: { purpose: 'forward', address, table: 254, routeText, rulePriority: 32766, ...values },
    source: sourceOf('routes', W1, undefined, routeText),
  });

const sending: Hop = hop(CLIENT_PLACE, [routed(VIP, 'default via 10.244.1.1 dev eth0')], {
  output: 'eth0',
  packet: packet({ destination: VIP, port: 80 }),
});

const services = ruleStep(
  'prerouting',
  'nat',
  '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
  { line: 81, values: { packets: 205, bytes: 12300 } },
);

/** A Service's way to one of its endpoints. */
function towards(address: string, hash: string): readonly Step[] {
  const service = 'KUBE-SVC-XRY76EGRC3BSCIIJ';
  return [
    services,
    ruleStep('prerouting', 'nat', `-A KUBE-SERVICES -d ${VIP}/32 -p tcp -m tcp --dport 80 -j ${service}`, {
      line: 131,
    }),
    ruleStep('prerouting', 'nat', `-A ${service} -m statistic --mode random -j KUBE-SEP-${hash}`, { line: 151 }),
    ruleStep('prerouting', 'nat', `-A KUBE-SEP-${hash} -p tcp -m tcp -j DNAT --to-destination ${address}:8080`, {
      line: 102,
      text: `destination becomes ${address}:8080`,
    }),
    step({
      kind: 'nat',
      at: 'prerouting nat',
      values: { nat: 'destination', by: 'rule' },
      text: 'destination becomes another',
      changes: [{ field: 'destination', from: `${VIP}:80`, to: `${address}:8080` }],
    }),
  ];
}

const HASHES = ['CQ4QY7EE2SRNBL7G', 'HBHCWINAAAJNXQTF', '6E7XQMQ4RAYOWTTM', 'ABCDEFGH234567AB', 'ZYXWVUTS765432ZY'];

/** A Service of `dying.length + alive` endpoints on other nodes; each of the dying ends by the policy of FORWARD. */
export function serviceTrace(alive: number, dying = 0): Trace {
  const count = alive + dying;
  const at = { segment: 0, hop: 1, step: 0 };
  const choice: Fork = {
    fork: 'random',
    at,
    to: Array.from({ length: count }, (_, i) => ({ segment: i + 1, chance: chanceOf(1 / count) })),
  };
  const branch = (i: number): Trace['segments'][number] => {
    const address = `10.244.2.${i + 7}`;
    const steps = [
      ...towards(address, HASHES[i]!),
      routed(address, `10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink`),
    ];
    const own = packet({ destination: address });
    const host = hop(W1, steps, { input: 'veth9047efb1', output: 'flannel.1', continues: true, packet: own });
    if (i >= alive) {
      const policy = step({
        kind: 'policy',
        at: 'forward filter FORWARD',
        source: sourceOf('iptables.nft', W2, undefined, ':FORWARD DROP'),
        values: {
          backend: 'iptables-nft',
          family: 4,
          hook: 'forward',
          table: 'filter',
          chain: 'FORWARD',
          policy: 'DROP',
          packets: 1,
        },
        text: 'no rule decided; the policy of FORWARD is DROP',
      });
      const there = hop(W2, [policy], { input: 'flannel.1', packet: own });
      const end = leafEnd('dropped-by-rule', { place: W2, packet: own, at: { segment: i + 1, hop: 1, step: 0 } });
      return segment([host, there], end);
    }
    const place = podPlace('w2', 'demo', `web-${i}`);
    const socket = step({
      kind: 'socket',
      at: 'socket',
      text: 'agnhost listens on *:8080',
      values: { by: 'listener' },
    });
    const there = hop(place, [socket], { input: 'eth0', packet: own });
    return segment(
      [host, there],
      leafEnd('delivered', { place, packet: own, at: { segment: i + 1, hop: 1, step: 0 } }),
    );
  };
  const first = segment([sending, hop(W1, [], { input: 'veth9047efb1', packet: sending.packet })], choice);
  return {
    packet: sending.packet,
    from: CLIENT_PLACE,
    segments: [first, ...Array.from({ length: count }, (_, i) => branch(i))],
    unwalked: 0,
  };
}

function segment(hops: readonly Hop[], end: Fork | LeafEnd): Trace['segments'][number] {
  // biome-ignore lint/suspicious/noThenProperty: a segment is never awaited; the trace's contract names it so.
  return { hops, then: end };
}

/** Where it is not known whether a rule matches: dropped if it does, else delivered. */
export function undecidedTrace(): Trace {
  const rule = ruleStep('forward', 'filter', '-A FORWARD -m recent --rcheck --name scan -j DROP', {
    line: 33,
    matched: 'unknown',
    text: 'not decided (recent); if it matches: drop',
    values: { ruleNumber: 2, undecided: 'recent', packets: 0 },
  });
  const at = { segment: 0, hop: 1, step: 0 };
  const choice: Fork = { fork: 'undecided', at, to: [1, 2].map((index) => ({ segment: index, chance: UNDECIDED })) };
  const passing = hop(W1, [rule], { input: 'cni0', output: 'flannel.1', continues: true });
  return {
    packet: packet(),
    from: CLIENT_PLACE,
    segments: [
      segment([hop(CLIENT_PLACE, [], { output: 'eth0' }), hop(W1, [], { input: 'cni0' })], choice),
      segment(
        [hop(W1, [rule], { input: 'cni0', continues: true })],
        leafEnd('dropped-by-rule', { place: W1, at: { segment: 1, hop: 0, step: 0 } }),
      ),
      segment(
        [passing, hop(SERVER_PLACE, [], { input: 'eth0' })],
        leafEnd('delivered', { place: SERVER_PLACE, at: { segment: 2, hop: 1, step: 0 } }),
      ),
    ],
    unwalked: 0,
  };
}

/** A trace's report; everything that is not said has a plain default. */
export function traceReport(forward: Trace, more: Partial<TraceReportInput> = {}): TraceReport {
  return buildTraceReport({
    question: question({ asked: { source: 'pod/demo/client', destination: 'svc/demo/web:80' } }),
    walked: walkedTrace(forward),
    notes: [],
    datapath: ['pod network by flannel, VXLAN (device flannel.1 on w1 and w2)'],
    created: [],
    durationMs: 40,
    ...more,
  });
}

export function walkedTrace(forward: Trace): TraceReportInput['walked'] {
  return { flow: flow({ destination: SERVER, forward }), snapshot: fakeSnapshot() };
}

/** With a what-if: FORWARD's policy is DROP at w2, and ACCEPT in the walk. */
export function whatIfReport(): TraceReport {
  return traceReport(serviceTrace(2), {
    whatIf: {
      changes: [
        {
          op: 'policy',
          backend: 'iptables.nft',
          family: 4,
          table: 'filter',
          chain: 'FORWARD',
          verdict: 'accept',
          place: W2,
          text: 'policy of filter FORWARD is ACCEPT',
        },
      ],
      before: walkedTrace(serviceTrace(1, 1)),
    },
  });
}

export function deliveredReport(): TraceReport {
  return traceReport(leafTrace('delivered', { steps: [step({ kind: 'socket', text: 'agnhost listens on *:8080' })] }));
}
