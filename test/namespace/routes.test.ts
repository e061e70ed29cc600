import { spawnSync } from 'node:child_process';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAddress } from '../../src/net/address.ts';
import type { L4, Packet } from '../../src/net/packet.ts';
import { type Cursor, type End, isEnd } from '../../src/simulate/cursor.ts';
import { ipv6SourceFor, isOwnAddress, type OutputKey, routeOutput } from '../../src/simulate/output-route.ts';
import { type Refusal, refusalOf } from '../../src/simulate/refusal.ts';
import { routeInput } from '../../src/simulate/route-input.ts';
import { lookupRoute, type RouteKey } from '../../src/simulate/routes.ts';
import type { Step } from '../../src/simulate/trace.ts';
import { NO_CONNECTIONS } from '../../src/simulate/tracking.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';
import { type RouteQuery, randomNetwork } from './route-network.ts';
import { type Answer, ask, build, HERE, snapshotOf } from './route-oracle.ts';

/**
 * The look-up against the kernel's own (`ip route get`), in random networks: every answer of the kernel must be one that
 * the simulation holds possible, and the simulation may be unsure of few. Needs root and `ip`.
 */
const NAMESPACE = `pt-routes-${process.pid}`;
const SEED = Number(process.env.ROUTES_SEED ?? 1);
const NETWORKS = Number(process.env.ROUTES_NETWORKS ?? 40);
const UNSURE_MAX = 0.02;

const ERRORS: Readonly<Record<Refusal, string>> = {
  network: 'Network is unreachable',
  host: 'No route to host',
  prohibited: 'Permission denied',
  invalid: 'Invalid argument',
};

function usable(): boolean {
  return process.getuid?.() === 0 && spawnSync('ip', ['-V']).status === 0;
}

/** `route get` asks about a datagram of IPv4 unless told otherwise, and about no protocol of IPv6. */
function l4Of(query: RouteQuery): L4 | undefined {
  const { protocol, sourcePort, destinationPort, family } = query;
  if (protocol !== undefined) return { protocol, sourcePort: sourcePort!, destinationPort: destinationPort! };
  return family === 4 ? { protocol: 'udp', sourcePort: 0, destinationPort: 0 } : undefined;
}

function keyOf(query: RouteQuery): RouteKey {
  const l4 = l4Of(query);
  return {
    destination: parseAddress(query.destination)!,
    ...(query.source === undefined ? {} : { source: parseAddress(query.source)! }),
    ...(query.input === undefined ? {} : { input: query.input }),
    ...(query.output === undefined ? {} : { output: query.output }),
    tos: query.tos,
    mark: query.mark,
    ...(l4 === undefined ? {} : { l4 }),
    user: query.input === undefined ? (query.user ?? 0) : 0,
  };
}

interface Simulated {
  readonly answers: readonly (Answer & { readonly isShared?: boolean })[];
  readonly unsure: boolean;
}

function outputs(snapshot: Snapshot, query: RouteQuery): Simulated {
  const key: OutputKey = keyOf(query);
  const lookup = routeOutput(snapshot, HERE, key);
  if (lookup.state === 'unseen') return { answers: [], unsure: true };
  const answers = lookup.ways.map(({ found, device, source, refusal }) => {
    if (refusal !== undefined) return { kind: 'refused' as const, error: ERRORS[refusal] };
    const via = device === 'lo' ? undefined : found.hop?.via;
    // For IPv6 the kernel shows the source that it would choose, for IPv4 only where it did.
    const open = query.family === 6 ? ipv6SourceFor(snapshot, HERE, key.destination, found) : source;
    const shown = query.family === 6 || query.source === undefined ? open : undefined;
    const isShared = query.family === 6 && found.route?.nextHopId !== undefined;
    return {
      kind: 'route' as const,
      type: found.type,
      device,
      ...(via ? { via } : {}),
      ...(shown ? { source: shown } : {}),
      ...(isShared ? { isShared } : {}),
    };
  });
  return { answers, unsure: lookup.ways.some((way) => way.doubt !== undefined) };
}

/** A packet of IPv4 that comes in: the answer is the whole of ip_route_input, with its checks of both addresses. */
function arrivals(snapshot: Snapshot, query: RouteQuery): Simulated {
  const { source, destination, l4 } = keyOf(query);
  const packet: Packet = {
    ip: { source: source!, destination, ttl: 64, tos: query.tos, df: false },
    l4: l4!,
    lengthBytes: 28,
  };
  const cursor: Cursor = {
    place: HERE,
    stage: { name: 'route-input' },
    packet,
    meta: { mark: query.mark, connmark: 0, conntrack: 'none', zone: 0, nat: [] },
    tracking: NO_CONNECTIONS,
    path: { input: query.input!, local: false },
    visited: [],
  };
  const move = routeInput({ world: { snapshot, gate: { parts: [], podAddressesRoutable: 'no' } } }, cursor);
  return {
    answers: move.ways.map(({ to, steps }) => (isEnd(to) ? endOf(to) : onwardOf(to, steps))),
    unsure: move.ways.some(({ to }) => isEnd(to) && to.end === 'insufficient-information'),
  };
}

/** A drop is an invalid argument, whatever its reason. */
function endOf({ end, senderSees }: End): Answer {
  if (end === 'forwarding-disabled') return { kind: 'refused', error: ERRORS.host };
  const errors: Readonly<Record<string, string>> = {
    'icmp 3/0': ERRORS.network,
    'icmp 3/1': ERRORS.host,
    'icmp 3/13': ERRORS.prohibited,
  };
  return { kind: 'refused', error: errors[senderSees] ?? (end === 'insufficient-information' ? end : ERRORS.invalid) };
}

function onwardOf({ stage, path }: Cursor, steps: readonly Step[]): Answer {
  const isHere = stage.name === 'hook' && stage.hook === 'input';
  const { hop, type } = path.route ?? {};
  if (!isHere) return { kind: 'route', type: type!, device: path.output!, ...(hop?.via ? { via: hop.via } : {}) };
  const isBroadcast = steps.every((step) => step.values.type !== 'local');
  return { kind: 'route', type: isBroadcast ? 'broadcast' : 'local', device: 'lo' };
}

/** A packet of IPv6 that comes in: the route alone. */
function inputs(snapshot: Snapshot, query: RouteQuery): Simulated {
  const lookup = lookupRoute(snapshot, HERE, keyOf(query));
  if (lookup.state === 'unseen') return { answers: [], unsure: true };
  const answers = lookup.ways.map(({ found }) => {
    const refusal = refusalOf(found);
    if (refusal !== undefined) return { kind: 'refused' as const, error: ERRORS[refusal] };
    const device = isOwnAddress(found) ? 'lo' : (found.hop?.device ?? '');
    const via = device === 'lo' ? undefined : found.hop?.via;
    const source = found.route?.preferredSource;
    const isShared = found.route?.nextHopId !== undefined;
    return {
      kind: 'route' as const,
      type: found.type,
      device,
      ...(via ? { via } : {}),
      ...(source ? { source } : {}),
      ...(isShared ? { isShared } : {}),
    };
  });
  return { answers, unsure: lookup.ways.some((way) => way.doubt !== undefined) };
}

function simulate(snapshot: Snapshot, query: RouteQuery): Simulated {
  if (query.input === undefined) return outputs(snapshot, query);
  return query.family === 4 ? arrivals(snapshot, query) : inputs(snapshot, query);
}

/** Of routes that share a nexthop object, IPv6 keeps one cached copy, whichever was first, and with it that one's source. */
function same(a: Answer & { readonly isShared?: boolean }, b: Answer): boolean {
  if (!a.isShared) return JSON.stringify(a) === JSON.stringify(b);
  const { isShared: _shared, ...rest } = a;
  const withoutSource = (one: object): string => JSON.stringify({ ...one, source: undefined });
  return withoutSource(rest) === withoutSource(b);
}

describe.runIf(usable())('look-ups against the kernel', () => {
  afterAll(() => {
    spawnSync('ip', ['netns', 'del', NAMESPACE]);
  });

  it(`of ${NETWORKS} networks from seed ${SEED}`, () => {
    let asked = 0;
    let unsure = 0;
    const wrong: string[] = [];
    for (let number = 0; number < NETWORKS; number++) {
      const network = randomNetwork(SEED * 1000 + number);
      build(NAMESPACE, network);
      const snapshot = snapshotOf(NAMESPACE);
      for (const family of [4, 6] as const) {
        const queries = network.queries.filter((query) => query.family === family);
        ask(NAMESPACE, family, queries).forEach((answer, index) => {
          const query = queries[index]!;
          const simulated = simulate(snapshot, query);
          asked++;
          if (simulated.unsure) unsure++;
          if (!simulated.unsure && !simulated.answers.some((one) => same(one, answer))) {
            wrong.push(
              `network ${SEED * 1000 + number}: ${JSON.stringify(query)}\n  kernel ${JSON.stringify(answer)}\n  walk   ${JSON.stringify(simulated.answers)}`,
            );
          }
        });
      }
    }
    expect(wrong.slice(0, 10).join('\n')).toBe('');
    expect(asked).toBeGreaterThan(NETWORKS * 20);
    expect(unsure / asked).toBeLessThan(UNSURE_MAX);
  });
});
