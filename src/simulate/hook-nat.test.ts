import { describe, expect, it } from 'vitest';
import type { Packet } from '../net/packet.ts';
import { hostOf } from '../net/place.ts';
import { confirm, track } from './conntrack.ts';
import type { AtHook } from './cursor.ts';
import type { HookEntry, HookName, HookOutcome } from './hook.ts';
import { runNat } from './hook-nat.ts';
import { translate } from './nat.ts';
import { buildPacket } from './testing/build-hook-input.ts';
import { snapshotOfTexts } from './testing/build-snapshot.ts';
import { type Connection, NO_CONNECTIONS, release, type Tracking, untouched } from './tracking.ts';
import { CERTAIN } from './truth.ts';

const W1 = hostOf('w1');
const link = (index: number, name: string, ...addresses: string[]): unknown => ({
  ifindex: index,
  ifname: name,
  flags: ['UP', 'LOWER_UP'],
  mtu: 1500,
  operstate: 'UP',
  link_type: 'ether',
  address: `02:00:00:00:00:0${index}`,
  addr_info: addresses.map((local) => ({ family: 'inet', local, prefixlen: 24, scope: 'global' })),
});
const world = (...links: unknown[]) => ({
  world: {
    snapshot: snapshotOfTexts([
      ['links', W1, {}, JSON.stringify(links)],
      ['sysctls', W1, {}, '{"files":[]}'],
    ]),
    gate: { parts: [], podAddressesRoutable: 'yes' as const },
  },
});
const BOTH = world(link(2, 'eth0', '10.78.0.11'), link(3, 'eth1', '10.79.0.11'));
const DATAGRAM = buildPacket({
  source: '10.244.0.5',
  destination: '192.0.2.1',
  l4: { protocol: 'udp', sourcePort: 40000, destinationPort: 53 },
});

function entry(nat?: HookOutcome['nat']): HookEntry {
  return {
    name: 'nat',
    priority: 100,
    nat: true,
    evaluate: ({ packet, meta }) => [
      { chance: CERTAIN, verdict: { kind: 'accept' }, packet, meta, steps: [], ...(nat ? { nat } : {}) },
    ],
  };
}
const MASQUERADE = entry({ kind: 'source', to: {}, masquerade: true });

function at(hook: HookName, packet: Packet, tracking: Tracking, output = 'eth0'): AtHook {
  return {
    place: W1,
    stage: { name: 'hook', hook, next: 0, after: { name: 'finish' } },
    packet,
    ...track(W1, packet, untouched(), tracking),
    path: { local: false, input: 'cni0', output },
    visited: [],
  };
}

/** The cursor behind the hook. */
function behind(walk: typeof BOTH, cursor: AtHook, rules: HookEntry): AtHook {
  const [way] = runNat(walk, cursor, [rules]).ways;
  if ('end' in way!.to) throw new Error(way!.to.end);
  return way!.to as AtHook;
}

describe('nat at a hook', () => {
  it('binds a connection without a translation, and says nothing of it', () => {
    const { ways } = runNat(BOTH, at('postrouting', DATAGRAM, NO_CONNECTIONS), [entry()]);
    expect(ways[0]!.steps).toEqual([]);
    expect((ways[0]!.to as AtHook).tracking.current!.connection).toMatchObject({ sourceDecided: true });
  });

  it('gives way where two connections would have the same answers', () => {
    const first = behind(BOTH, at('postrouting', DATAGRAM, NO_CONNECTIONS), MASQUERADE);
    const known = release(confirm(first.tracking, first.meta));
    const twin = { ...DATAGRAM, ip: { ...DATAGRAM.ip, source: '10.244.0.6' } };
    const second = behind(BOTH, at('postrouting', twin, known), MASQUERADE);
    expect(first.packet.l4).toMatchObject({ sourcePort: 40000 });
    expect(second.packet.l4).toMatchObject({ sourcePort: 'ephemeral', chosenFrom: { from: 1024, to: 65535 } });
  });

  it('turns an answer back to the port of the client, which was chosen from another range', () => {
    const open = { ...DATAGRAM.l4, sourcePort: 'ephemeral', chosenFrom: { from: 40000, to: 50000 } } as const;
    const first = behind(BOTH, at('postrouting', { ...DATAGRAM, l4: open }, NO_CONNECTIONS), MASQUERADE);
    const connection = { ...first.tracking.current!.connection, chosenFrom: { from: 1024, to: 65535 } };
    const { source, destination } = first.packet.ip;
    const answer = {
      ...first.packet,
      ip: { ...first.packet.ip, source: destination, destination: source },
      l4: { ...open, sourcePort: 53, destinationPort: 'ephemeral', chosenFrom: { from: 1024, to: 65535 } } as const,
    };
    expect(translate(answer, connection, true, 'prerouting').l4).toMatchObject({
      destinationPort: 'ephemeral',
      chosenFrom: { from: 40000, to: 50000 },
    });
  });

  it('drops and forgets a masqueraded connection that leaves by another device', () => {
    const first = behind(BOTH, at('postrouting', DATAGRAM, NO_CONNECTIONS), MASQUERADE);
    const known = release(confirm(first.tracking, first.meta));
    const same = runNat(BOTH, at('postrouting', DATAGRAM, known), [MASQUERADE]).ways[0]!;
    expect('end' in same.to).toBe(false);
    const other = runNat(BOTH, at('postrouting', DATAGRAM, known, 'eth1'), [MASQUERADE]).ways[0]!;
    expect(other.to).toMatchObject({ end: 'conntrack-refused' });
    expect('end' in other.to && (other.to.cursor.tracking.connections as readonly Connection[])).toEqual([]);
  });

  it('drops what no address can be found for, and does not know where the devices were not seen', () => {
    const bare = world(link(2, 'eth0'));
    const cursor = at('postrouting', DATAGRAM, NO_CONNECTIONS);
    expect(runNat(bare, cursor, [MASQUERADE]).ways[0]!.to).toMatchObject({ end: 'dropped-by-rule' });
    const unseen = { world: { ...BOTH.world, snapshot: snapshotOfTexts([]) } };
    expect(runNat(unseen, cursor, [MASQUERADE]).ways[0]!.to).toMatchObject({ end: 'insufficient-information' });
  });

  it('sends what this host redirects to loopback, what comes in to the device’s own address', () => {
    const redirect = entry({ kind: 'destination', to: { port: 8080 }, redirect: true });
    const own = behind(BOTH, at('output', DATAGRAM, NO_CONNECTIONS), redirect);
    expect(own.packet).toMatchObject({ ip: { destination: '127.0.0.1' }, l4: { destinationPort: 8080 } });
    expect(own.path.reroute!.packet.ip.destination).toBe('127.0.0.1');
    const cursor = at('prerouting', DATAGRAM, NO_CONNECTIONS);
    const incoming = { ...cursor, path: { ...cursor.path, input: 'eth1' } };
    expect(behind(BOTH, incoming, redirect).packet.ip.destination).toBe('10.79.0.11');
  });
});
