/** Reports as a run makes them, through the real engine and procedure, for the tests of text, JSON and schema. */
import type { Cause } from '../../diagnose/cause.ts';
import type { Case } from '../../diagnose/check.ts';
import { diagnose } from '../../diagnose/engine.ts';
import { symptomOf } from '../../diagnose/symptom.ts';
import {
  buildCase,
  CLIENT_PLACE,
  changesOf,
  evidence,
  flow,
  hop,
  leafEnd,
  leafTrace,
  packet,
  probe,
  question,
  SERVER,
  SERVER_PLACE,
  SERVICE_END,
  sourceOf,
  step,
} from '../../diagnose/testing/build-case.ts';
import { verdictOf } from '../../diagnose/verdict.ts';
import { hostOf } from '../../net/place.ts';
import type { DatapathGate } from '../../simulate/datapath.ts';
import type { Fork, Hop, LeafEnd, Step, Trace } from '../../simulate/trace.ts';
import { chanceOf } from '../../simulate/truth.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { buildReport } from '../build-report.ts';
import type { Report } from '../report.ts';

const VIP = '10.96.12.34';
const W1 = hostOf('w1');
const KUBE_PROXY: DatapathGate = {
  podAddressesRoutable: 'no',
  parts: [
    {
      role: 'services',
      by: 'kube-proxy',
      mode: 'iptables',
      modelled: true,
      statement: 'Services by kube-proxy in iptables mode (its chains are programmed on w1 and w2)',
      sources: [],
    },
    {
      role: 'pod-network',
      by: 'flannel',
      mode: 'vxlan',
      modelled: true,
      statement: 'pod network by flannel, VXLAN (device flannel.1 on w1 and w2)',
      sources: [],
    },
  ],
};

const route = (text: string, device: string): Step =>
  step({ text, values: { device, table: 254 }, source: sourceOf('routes', W1, undefined, text) });

const dnat: Step = step({
  kind: 'nat',
  at: 'prerouting nat-nft KUBE-SEP-6E7XQMQ4RAYOWTTM#2',
  text: 'destination becomes 10.244.2.7:8080',
  source: sourceOf('iptables.nft', W1, 48),
  values: { nat: 'destination' },
  changes: [{ field: 'destination', from: `${VIP}:80`, to: `${SERVER}:8080` }],
  owner: { by: 'kube-proxy', purpose: 'Service demo/web' },
});

const forwarding: Step = step({
  kind: 'sysctl',
  at: 'forward net.ipv4.ip_forward',
  text: 'net.ipv4.ip_forward is 0: not forwarded',
  source: sourceOf('sysctls', W1, 212, 'net.ipv4.ip_forward = 0'),
  values: { key: 'net.ipv4.ip_forward', value: '0', needed: '1' },
});

const clientHop: Hop = hop(CLIENT_PLACE, [route('default via 10.244.1.1 dev eth0', 'eth0')], { output: 'eth0' });
const tunnelRoute = route('10.244.2.0/24 via 10.244.2.0 dev flannel.1 onlink', 'flannel.1');

function dying(id: string, before: readonly Step[], probed: ReturnType<typeof probe>, destination: string) {
  const forward = leafTrace('forwarding-disabled', {
    before: [clientHop],
    steps: [...before, tunnelRoute, forwarding],
    input: 'cni0',
  });
  return flow({ id, destination, port: id === 'main' ? 80 : 8080, forward, probe: probed });
}

const FORWARD_ON: SnapshotChange = {
  op: 'sysctl',
  key: 'net.ipv4.ip_forward',
  value: '1',
  place: W1,
  text: 'net.ipv4.ip_forward = 1',
};

function sampleCause(id: string, check: Cause['check'], more: Partial<Cause> = {}): Cause {
  return {
    id,
    class: 'network-unreachable',
    title: id,
    gravity: 'fault',
    at: 'question',
    needs: [],
    check,
    ...more,
  };
}

const absent = (id: string, because: string): Cause => sampleCause(id, () => ({ is: 'absent', because }));
const unknown = (id: string, because: string): Cause => sampleCause(id, () => ({ is: 'unknown', because }));

const ruledOut: readonly Cause[] = [
  absent('forward-policy-drop', 'no packet that was walked died by the policy of FORWARD'),
  absent('host-firewall-drop', 'no packet that was walked died by a rule'),
  absent('pod-cidr-route-missing', 'w1 has a route to 10.244.2.0/24'),
  absent('kube-proxy-down', 'service/demo/web is programmed on w1'),
  absent('no-listener', 'agnhost listens on *:8080 in pod/demo/web'),
];

const notChecked: readonly Cause[] = [
  unknown('overlay-port-blocked', 'iptables.nft of w2: timed-out, no answer within 10 s'),
  unknown('rp-filter-drop', 'sysctls of w2: timed-out, no answer within 10 s'),
  unknown('vtep-address-mismatch', 'sysctls of w2: timed-out, no answer within 10 s'),
];

const connectTimedOut = `connect to ${VIP}:80: no answer within 1 s (ETIMEDOUT)`;

const ipForwardDisabled = sampleCause(
  'ip-forward-disabled',
  () => ({
    is: 'present',
    claims: ['main', `endpoint/${SERVER}`].map((id) => ({ flow: id, leg: 'forward' as const, segment: 0 })),
    place: { ...W1, object: 'net.ipv4.ip_forward' },
    evidence: [
      evidence({
        kind: 'sysctl',
        plane: 'walk',
        source: forwarding.source,
        values: forwarding.values,
        statement: 'w1 does not forward: the packet is dropped before the FORWARD chain',
      }),
      evidence({
        kind: 'counter',
        plane: 'kernel',
        source: sourceOf('counters', W1),
        values: { counter: 'IpInAddrErrors', rose: 4 },
        statement: 'IpInAddrErrors rose by 4 while the probes ran',
      }),
      evidence({
        kind: 'tcp-probe',
        plane: 'probe',
        place: CLIENT_PLACE,
        source: {
          request: {
            action: 'probe.tcp',
            place: CLIENT_PLACE,
            args: { address: VIP, port: 80, timeoutMs: 1000 },
            round: 1,
          },
        },
        statement: connectTimedOut,
      }),
    ],
    change: [FORWARD_ON],
    fix: {
      summary: 'switch forwarding on at w1 and find out what switched it off, or it will do so again',
      commands: [
        'sysctl -w net.ipv4.ip_forward=1    # on w1',
        "echo 'net.ipv4.ip_forward = 1' > /etc/sysctl.d/99-kubernetes-forward.conf    # on w1",
      ],
    },
  }),
  { title: 'IP forwarding is switched off', explains: ['dns-service-unreachable'] },
);

const dnsConsequence = sampleCause(
  'dns-service-unreachable',
  () => ({
    is: 'present',
    claims: [],
    place: { node: '', namespace: 'host', object: 'service/kube-system/kube-dns' },
    evidence: [
      evidence({
        kind: 'dns-probe',
        plane: 'probe',
        place: CLIENT_PLACE,
        source: sourceOf('probe.dns', CLIENT_PLACE),
        statement: 'web.demo.svc.cluster.local at 10.96.0.10: no answer within 1 s',
      }),
    ],
    fix: { summary: 'mend what it is a consequence of', commands: [] },
  }),
  { class: 'dns-failure', title: 'The cluster DNS is not reached through its Service' },
);

function report(
  given: Case,
  causes: readonly Cause[],
  mended: Case['flows'],
  more: Partial<Parameters<typeof buildReport>[0]> = {},
): Report {
  const diagnosis = diagnose(given, causes, (snapshot) => (changesOf(snapshot).length > 0 ? mended : given.flows));
  const symptom = symptomOf(given);
  const verdict = verdictOf(given, diagnosis, symptom);
  return buildReport({
    given,
    diagnosis,
    symptom,
    verdict,
    notes: [],
    created: ['job/podtriage-w1 in namespace podtriage: removed', 'namespace podtriage: removed'],
    timings: { 'reading the cluster': 210, probing: 1040, walking: 12 },
    durationMs: 2340,
    ...more,
  });
}

const toService = question({
  destination: SERVICE_END,
  port: 80,
  asked: { source: 'deploy/demo/client', destination: 'svc/demo/web:80' },
  notes: ['deploy/demo/client: pod/demo/client-7f5c9d-x2x8k was taken'],
});

/** A fault with its proof, a consequence under it, and things that could not be checked. */
export function faultReport(): Report {
  const ping = flow({
    id: 'icmp',
    destination: SERVER,
    probe: probe('no', 'silent', `ping to ${SERVER}: 0 of 3 answered`),
  });
  const flows = [
    dying('main', [dnat], probe('no', 'timed-out', connectTimedOut), VIP),
    dying(
      `endpoint/${SERVER}`,
      [],
      probe('no', 'timed-out', `connect to ${SERVER}:8080: no answer within 1 s (ETIMEDOUT)`),
      SERVER,
    ),
    { ...ping, trip: dying('icmp', [], probe('no', 'silent'), SERVER).trip },
  ];
  const given = buildCase({ question: toService, flows, gate: KUBE_PROXY });
  const mended = flows.map((one) => flow({ id: one.id, destination: one.destination }));
  return report(given, [...ruledOut, dnsConsequence, ipForwardDisabled, ...notChecked], mended);
}

export function healthyReport(): Report {
  const main = flow({
    port: 8080,
    forward: leafTrace('delivered', {
      before: [clientHop, hop(W1, [tunnelRoute], { input: 'cni0', output: 'flannel.1' })],
      input: 'eth0',
      steps: [step({ kind: 'socket', at: 'socket', text: 'agnhost listens on *:8080' })],
    }),
    probe: { ...probe('yes', 'connected', `connect to ${SERVER}:8080: connected in 0.8 ms`), latencyMs: 0.8 },
  });
  const icmp = flow({ id: 'icmp', probe: probe('yes', 'answered', `ping to ${SERVER}: 3 of 3 answered, 0.4 ms`) });
  return report(buildCase({ flows: [main, icmp], gate: KUBE_PROXY }), ruledOut, []);
}

const CILIUM: DatapathGate = {
  podAddressesRoutable: 'unknown',
  parts: [
    {
      role: 'services',
      by: 'cilium',
      mode: 'ebpf',
      modelled: false,
      statement: 'Services by Cilium’s kube-proxy replacement (eBPF), which podtriage does not model',
      sources: [],
    },
  ],
};

/** A datapath that the walk does not know, and a probe that fails. */
export function inconclusiveReport(): Report {
  const main = flow({
    destination: VIP,
    port: 80,
    forward: leafTrace('insufficient-information', {
      before: [clientHop],
      steps: [],
      input: 'lxc8a2f1',
      because: 'Services by cilium (ebpf) are not modelled',
      wants: [{ action: 'links', place: W1, args: {}, round: 2 }],
    }),
    probe: probe('no', 'timed-out', connectTimedOut),
  });
  const open = ['kube-proxy-down', 'kube-proxy-stale', 'service-selector-mismatch', 'iptables-backend-mix'].map((id) =>
    unknown(id, 'Services by cilium (ebpf) are not modelled on w1: nothing is inferred from rules that are not there'),
  );
  return report(buildCase({ question: toService, flows: [main], gate: CILIUM }), [...ruledOut, ...open], []);
}

/** Two of three backends live: forks, a way back that dies, and a dead end that no cause claims. */
export function forkedReport(): Report {
  const at = { segment: 0, hop: 1, step: 0 };
  const third = chanceOf(1 / 3);
  const choice: Fork = { fork: 'random', at, to: [1, 2, 3].map((segment) => ({ segment, chance: third })) };
  const leading = (hops: readonly Hop[], then: Fork | LeafEnd) => ({ hops, then });
  const drop = step({
    kind: 'rule',
    at: 'input filter-nft INPUT#3',
    text: 'drop',
    source: sourceOf('iptables.nft', hostOf('w2'), 31, '-A INPUT -p tcp -m tcp --dport 8080 -j DROP'),
    values: { table: 'filter', chain: 'INPUT', ruleNumber: 3, verdict: 'drop' },
  });
  const forward: Trace = {
    packet: packet({ destination: VIP, port: 80 }),
    from: CLIENT_PLACE,
    segments: [
      leading([clientHop, hop(W1, [dnat], { input: 'cni0' })], choice),
      leading(
        [hop(SERVER_PLACE, [], { input: 'eth0' })],
        leafEnd('delivered', { place: SERVER_PLACE, at: { segment: 1, hop: 0, step: 0 } }),
      ),
      leading(
        [hop(SERVER_PLACE, [], { input: 'eth0' })],
        leafEnd('delivered', { place: SERVER_PLACE, at: { segment: 1, hop: 0, step: 0 } }),
      ),
      leading(
        [hop(hostOf('w2'), [drop], { input: 'eth0' })],
        leafEnd('dropped-by-rule', { place: hostOf('w2'), at: { segment: 3, hop: 0, step: 0 } }),
      ),
    ],
    unwalked: 0,
  };
  const main = flow({
    destination: VIP,
    port: 80,
    forward,
    probe: probe('yes', 'connected', `connect to ${VIP}:80: connected in 1.1 ms`),
  });
  return report(buildCase({ question: toService, flows: [main], gate: KUBE_PROXY }), ruledOut, [main]);
}
