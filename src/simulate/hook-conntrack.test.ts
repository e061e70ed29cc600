import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { L4 } from '../net/packet.ts';
import { hostOf, placeKey, podPlace } from '../net/place.ts';
import { createSnapshot } from '../snapshot/create-snapshot.ts';
import { buildPacket } from './testing/build-hook-input.ts';
import { replyOf } from './testing/build-snapshot.ts';
import { parseRecording } from './testing/recording.ts';
import type { LeafEnd, Step, Trace } from './trace.ts';
import { simulateTrace } from './walk.ts';

const REPLIES = parseRecording(readFileSync(new URL('fixtures/host-gw-nftables.json', import.meta.url), 'utf8'));
const W1 = hostOf('w1');
const CLIENT = podPlace('w1', 'demo', 'client-jdvg6');
const CLIENT_IP = '10.244.0.4';
const SERVICE_IP = '10.96.143.21';
const TCP: L4 = { protocol: 'tcp', sourcePort: 40000, destinationPort: 80, flags: ['syn'], mss: 1460 };

/** The recording with other values of w1's connection table, and with what it lists of the two addresses. */
function walked(given: { count?: string; max?: string; listed?: string; l4?: L4 }): Trace {
  const replies = REPLIES.map((reply) => {
    if (reply.got !== 'raw' || reply.request.action !== 'sysctls') return reply;
    if (placeKey(reply.request.place) !== placeKey(W1)) return reply;
    const set = (text: string, name: string, value: string | undefined): string =>
      value === undefined ? text : text.replace(new RegExp(`(netfilter/${name}","text":")[^"]*`), `$1${value}\\n`);
    const text = new TextDecoder().decode(reply.raw);
    const changed = set(set(text, 'nf_conntrack_count', given.count), 'nf_conntrack_max', given.max);
    if (changed === text && (given.count ?? given.max) !== undefined) throw new Error('nothing was changed');
    return { ...reply, raw: new TextEncoder().encode(changed) };
  });
  const args = {
    protocol: 'tcp',
    source: CLIENT_IP,
    destination: SERVICE_IP,
    sourcePort: 40000,
    destinationPort: 80,
  };
  const listed = given.listed === undefined ? [] : [replyOf(['conntrack', W1, args, given.listed])];
  const world = {
    snapshot: createSnapshot([...replies, ...listed]),
    gate: { parts: [], podAddressesRoutable: 'yes' as const },
  };
  const packet = buildPacket({ source: CLIENT_IP, destination: SERVICE_IP, l4: given.l4 ?? TCP });
  return simulateTrace(world, { from: CLIENT, packet });
}

const leaves = (trace: Trace): LeafEnd[] =>
  trace.segments.flatMap((segment) => ('end' in segment.then ? [segment.then] : []));
const steps = (trace: Trace): readonly Step[] =>
  trace.segments.flatMap((segment) => segment.hops.flatMap((hop) => hop.steps));
const wants = (trace: Trace): string[] => [
  ...new Set(leaves(trace).flatMap((leaf) => leaf.wants.map((want) => want.action))),
];

describe('a full table', () => {
  it('may refuse a new connection', () => {
    const trace = walked({ count: '1000', max: '1000' });
    expect(new Set(leaves(trace).map((leaf) => leaf.end))).toEqual(new Set(['delivered', 'conntrack-refused']));
    expect(steps(trace).find((step) => step.values.state === 'full')!.values).toMatchObject({ count: 1000, max: 1000 });
  });

  it('is none where there is room, or no bound', () => {
    for (const max of ['1001', '0']) {
      expect(leaves(walked({ count: '1000', max })).every((leaf) => leaf.end === 'delivered')).toBe(true);
    }
  });
});

describe('entries of the kernel’s table', () => {
  const stale = `tcp 6 100 ESTABLISHED src=${CLIENT_IP} dst=${SERVICE_IP} sport=40000 dport=80 src=10.244.1.99 dst=${CLIENT_IP} sport=8080 dport=40000 [ASSURED] mark=0 use=1\n`;

  it('are wanted where the source port is known, and the walk goes on without them', () => {
    const trace = walked({});
    expect(leaves(trace).map((leaf) => leaf.end)).toEqual(['delivered', 'delivered']);
    expect(wants(trace)).toContain('conntrack');
    expect(wants(walked({ l4: { ...TCP, sourcePort: 'ephemeral' } as L4 }))).toEqual([]);
    // What was asked is not asked again.
    expect(leaves(walked({ listed: '' })).map((leaf) => leaf.end)).toEqual(['delivered', 'delivered']);
  });

  it('pin their translation: no rule is asked for a new one', () => {
    const trace = walked({ listed: stale });
    const here = steps(trace).find((step) => step.values.state === 'existing');
    expect(here!.text).toContain('10.244.1.99');
    expect(leaves(trace).map((leaf) => leaf.packet.ip.destination)).toEqual(['10.244.1.99']);
    const nat = steps(trace).filter((step) => step.kind === 'nat');
    expect(nat.map((step) => [step.values.by, step.values.to])).toEqual([['connection', '10.244.1.99:8080']]);
  });

  it('of another port are another connection’s', () => {
    const trace = walked({ listed: stale.replaceAll('40000', '40001') });
    expect(leaves(trace).map((leaf) => leaf.end)).toEqual(['delivered', 'delivered']);
  });
});
