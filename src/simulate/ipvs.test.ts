import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hostOf, placeKey, podPlace } from '../net/place.ts';
import { parseIpvsadm } from '../parse/ipvsadm.ts';
import { createSnapshot } from '../snapshot/create-snapshot.ts';
import { ipvsChoices } from './ipvs-services.ts';
import { simulateRoundTrip, type TripQuestion } from './simulate-round-trip.ts';
import { buildPacket, ECHO, tcpSyn, udpTo } from './testing/build-hook-input.ts';
import { replyOf } from './testing/build-snapshot.ts';
import { parseRecording } from './testing/recording.ts';
import type { LeafEnd, RoundTrip, Step, Trace } from './trace.ts';

/*
 * A recorded cluster (flannel host-gw), to whose node w1 a Service by ipvs was added as kube-proxy makes one: its address
 * on kube-ipvs0, which shows as a local route, the settings, and what `ipvsadm -Sn` prints (after its man page: the
 * kernel of the recording has no ipvs).
 */
const REPLIES = parseRecording(readFileSync(new URL('fixtures/host-gw-nftables.json', import.meta.url), 'utf8'));
const W1 = hostOf('w1');
const CLIENT = podPlace('w1', 'demo', 'client-jdvg6');
const CLIENT_IP = '10.244.0.4';
const SERVICE_IP = '10.96.200.1';
const REMOTE = '10.244.1.3';

const LOCAL_ROUTE = `{"type":"2","dst":"${SERVICE_IP}","dev":"kube-ipvs0","table":"255","protocol":"2","scope":"254","prefsrc":"${SERVICE_IP}","flags":[]}`;

function world(services: string, conntrack: '0' | '1' = '1') {
  const edited = REPLIES.map((reply) => {
    const { action, place, args } = reply.request;
    if (placeKey(place) !== placeKey(W1) || reply.got !== 'raw') return reply;
    const text = new TextDecoder().decode(reply.raw);
    const changed =
      action === 'sysctls'
        ? text.replace('ipv4/vs/conntrack","error":"ENOENT"', `ipv4/vs/conntrack","text":"${conntrack}\\n"`)
        : action === 'routes' && args.family === 4
          ? text.replace(/\]\s*$/, `,${LOCAL_ROUTE}]`)
          : text;
    return { ...reply, raw: new TextEncoder().encode(changed) };
  });
  const snapshot = createSnapshot([...edited, replyOf(['ipvs', W1, {}, services])]);
  return { snapshot, gate: { parts: [], podAddressesRoutable: 'yes' as const } };
}

const leaves = (trace: Trace): LeafEnd[] =>
  trace.segments.flatMap((segment) => ('end' in segment.then ? [segment.then] : []));
const steps = (trace: Trace): readonly Step[] =>
  trace.segments.flatMap((segment) => segment.hops.flatMap((hop) => hop.steps));
const ends = (trip: RoundTrip) => ({
  there: leaves(trip.forward).map((leaf) => leaf.end),
  back: trip.replies.flatMap((reply) => leaves(reply.trace).map((leaf) => leaf.end)),
});

function ask(
  services: string,
  given: Partial<TripQuestion> & { l4?: ReturnType<typeof tcpSyn>; conntrack?: '0' } = {},
) {
  const from = given.from ?? CLIENT;
  const source = from === W1 ? '0.0.0.0' : CLIENT_IP;
  const packet = buildPacket({ source, destination: SERVICE_IP, l4: given.l4 ?? tcpSyn(80) });
  return simulateRoundTrip(world(services, given.conntrack), { from, packet });
}

const one = `-A -t ${SERVICE_IP}:80 -s rr\n-a -t ${SERVICE_IP}:80 -r ${REMOTE}:8080 -m -w 1\n`;

describe('a Service by ipvs', () => {
  it('sends to the real server through the output hook, and turns the answer back', () => {
    const trip = ask(one);
    expect(ends(trip)).toEqual({ there: ['delivered'], back: ['delivered'] });
    const [leaf] = leaves(trip.forward);
    expect(leaf!.packet).toMatchObject({
      ip: { source: CLIENT_IP, destination: REMOTE },
      l4: { destinationPort: 8080 },
    });
    const hooks = steps(trip.forward)
      .filter((step) => step.kind === 'rule')
      .map((step) => step.at.split(' ')[0]);
    // Local input first, then output, never forward: filter rules of the Service are met in INPUT.
    expect(hooks).toContain('input');
    expect(hooks).toContain('output');
    expect(steps(trip.forward).some((step) => step.values.by === 'ipvs' && step.at === 'input ipvs')).toBe(true);
    const back = trip.replies.flatMap((reply) => steps(reply.trace)).filter((step) => step.values.by === 'ipvs');
    expect(back.map((step) => [step.at, step.values.to])).toEqual([['forward ipvs', `${SERVICE_IP}:80`]]);
  });

  it('takes one hop of the TTL', () => {
    const direct = simulateRoundTrip(world(one), {
      from: CLIENT,
      packet: buildPacket({ source: CLIENT_IP, destination: REMOTE, l4: tcpSyn(8080) }),
    });
    expect(leaves(ask(one).forward)[0]!.packet.ip.ttl).toBe(leaves(direct.forward)[0]!.packet.ip.ttl);
  });

  it('serves the node itself, whose packets bear the address of the Service', () => {
    const trip = ask(one, { from: W1 });
    expect(steps(trip.forward).some((step) => step.at === 'output ipvs')).toBe(true);
    expect(trip.forward.packet.ip.source).toBe(SERVICE_IP);
  });

  it('goes on without its connection where net.ipv4.vs.conntrack is off', () => {
    const trip = ask(one, { conntrack: '0' });
    const left = trip.forward.segments
      .flatMap((segment) => segment.hops)
      .find((hop) => hop.place.node === 'w1' && hop.output === 'eth0');
    expect(left).toBeDefined();
    expect(ends(trip).there).toEqual(['delivered']);
  });

  it('is reached by its servers in turn, each a branch', () => {
    const two = `-A -t ${SERVICE_IP}:80 -s wrr\n-a -t ${SERVICE_IP}:80 -r ${REMOTE}:8080 -m -w 3\n-a -t ${SERVICE_IP}:80 -r 10.244.0.3:8080 -m -w 1\n-a -t ${SERVICE_IP}:80 -r 10.244.0.9:8080 -m -w 0\n`;
    const fork = ask(two).forward.segments.flatMap(({ then }) =>
      'fork' in then && then.fork === 'random' ? [then] : [],
    )[0];
    expect(fork!.to.map((to) => to.chance.min)).toEqual([0.75, 0.25]);
  });

  it('has no server: the port can not be reached', () => {
    for (const services of [`-A -t ${SERVICE_IP}:80 -s rr\n`, one.replace('-w 1', '-w 0')]) {
      const [leaf] = leaves(ask(services).forward);
      expect(leaf).toMatchObject({ end: 'rejected-by-rule', senderSees: 'icmp 3/3' });
    }
  });

  it('leaves alone what no service is for, and pings', () => {
    expect(leaves(ask(one, { l4: tcpSyn(81) }).forward)[0]).toMatchObject({ end: 'no-listener', senderSees: 'reset' });
    expect(ends(ask(one, { l4: udpTo(80) })).there).toEqual(['no-listener']);
    expect(ends(ask(one, { l4: ECHO })).there).toEqual(['delivered']);
  });

  it('routes on unchanged to the MAC of a server', () => {
    const trip = ask(one.replace('-m', '-g').replace(':8080', ':80'));
    const [leaf] = leaves(trip.forward);
    // The pod there does not hold the address, so it is not its own.
    expect(leaf!.packet.ip.destination).toBe(SERVICE_IP);
    expect(steps(trip.forward).find((step) => step.values.by === 'ipvs')!.values.forwarding).toBe('routing');
  });

  it('is not walked where its services were not read', () => {
    const { snapshot, gate } = world(one);
    const bare = createSnapshot(
      REPLIES.map((reply) =>
        reply.got === 'raw' && reply.request.action === 'sysctls' && placeKey(reply.request.place) === placeKey(W1)
          ? {
              ...reply,
              raw: new TextEncoder().encode(
                new TextDecoder()
                  .decode(reply.raw)
                  .replace('ipv4/vs/conntrack","error":"ENOENT"', 'ipv4/vs/conntrack","text":"1\\n"'),
              ),
            }
          : reply,
      ),
    );
    const packet = buildPacket({ source: CLIENT_IP, destination: SERVICE_IP, l4: tcpSyn(80) });
    const [leaf] = leaves(simulateRoundTrip({ snapshot: bare, gate }, { from: CLIENT, packet }).forward);
    expect(leaf).toMatchObject({ end: 'insufficient-information' });
    expect(leaf!.wants.map((want) => want.action)).toContain('ipvs');
    expect(snapshot.fact('ipvs', W1).state).toBe('seen');
  });
});

describe('schedulers', () => {
  const choicesOf = (scheduler: string, ...servers: string[]) => {
    const lines = servers.map((server, index) => `-a -t 10.0.0.1:80 -r 10.0.0.${index + 2}:80 -m ${server}`);
    const service = parseIpvsadm([`-A -t 10.0.0.1:80 -s ${scheduler}`, ...lines].join('\n')).value[0]!;
    return ipvsChoices(service).map(({ chance, fork }) => `${chance.min}-${chance.max} ${fork ?? 'sure'}`);
  };

  it('come to each in turn, by weight, or as cannot be told', () => {
    expect(choicesOf('rr', '-w 5', '-w 1')).toEqual(['0.5-0.5 random', '0.5-0.5 random']);
    expect(choicesOf('wrr', '-w 3', '-w 1', '-w 0')).toEqual(['0.75-0.75 random', '0.25-0.25 random']);
    for (const scheduler of ['lc', 'wlc', 'sh', 'dh', 'mh', 'sed', 'nq', 'lblc', 'lblcr', 'ovf', 'twos']) {
      expect(choicesOf(scheduler, '-w 1', '-w 1')).toEqual(['0-1 undecided', '0-1 undecided']);
    }
    expect(choicesOf('fo', '-w 1', '-w 9')).toEqual(['1-1 sure']);
    expect(choicesOf('wlc', '-w 0', '-w 1')).toEqual(['1-1 sure']);
    expect(choicesOf('rr -p 300', '-w 1', '-w 1')).toEqual(['0-1 undecided', '0-1 undecided']);
    expect(choicesOf('rr', '-w 1 -x 5', '-w 1')).toEqual(['0-1 undecided', '0-1 undecided']);
  });
});
