import { describe, expect, it } from 'vitest';
import { arrive } from './arrive.ts';
import { isEnd } from './cursor.ts';
import { arrivedAt, walkIn, wholeStateOf } from './testing/route-state.ts';

describe('a packet that comes in a second time', () => {
  it('ends as a loop, and the error about it is of the device that it came in by', () => {
    const walk = walkIn(wholeStateOf({ family: 6, addresses: ['eth0 fd00::1/64', 'eth1 fd01::1/64'] }));
    const packet = arrivedAt('eth0', { source: 'fd09::9', destination: 'fd08::8' });
    const first = { ...packet, stage: { name: 'arrive', device: 'eth1' } as const, path: { local: false } };
    const { to } = arrive(walk, first).ways[0]!;
    if (isEnd(to)) throw new Error(to.end);
    const { ip } = first.packet;
    const later = { ...first.packet, ip: { ...ip, ttl: ip.ttl - 1 } };
    const again = arrive(walk, { ...first, packet: later, visited: to.visited }).ways[0]!.to;
    expect(again).toMatchObject({ end: 'loop', senderSees: 'icmp 3/0', cursor: { path: { input: 'eth1' } } });
    // Its TTL is set anew on the way: nobody is told.
    const endless = arrive(walk, { ...first, visited: to.visited }).ways[0]!.to;
    expect(endless).toMatchObject({ end: 'loop', senderSees: 'nothing' });
  });
});
