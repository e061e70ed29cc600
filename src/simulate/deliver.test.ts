import { describe, expect, it } from 'vitest';
import type { L4, Packet } from '../net/packet.ts';
import { deliver } from './deliver.ts';
import { arrivedAt, HERE, walkIn, wholeStateOf } from './testing/route-state.ts';
import { reversed, tupleOf } from './tuple.ts';

const ME = '10.0.0.1';

function sent(destination: string, l4: L4): Packet {
  return { ip: { source: ME, destination, ttl: 64, tos: 0, df: false }, l4, lengthBytes: 60 };
}

/** What becomes of an error about `quoted` that comes to a socket which has sent `asked`. */
function endOf(asked: Packet, quoted: Packet): unknown {
  const walk = { ...walkIn(wholeStateOf({})), expect: { place: HERE, tuple: reversed(tupleOf(asked)) } };
  const l4: L4 = { protocol: 'icmp', type: 3, code: 1, about: quoted };
  const arrived = arrivedAt('eth0', { source: '10.0.0.9', destination: ME }, { l4 });
  return deliver(walk, { ...arrived, stage: { name: 'deliver' } }).ways[0]!.to;
}

describe('an error', () => {
  const echo = (id: number): L4 => ({ protocol: 'icmp', type: 8, code: 0, id });
  const datagram: L4 = { protocol: 'udp', sourcePort: 4000, destinationPort: 53 };

  it('about an echo request finds its sender by the id, wherever NAT has sent that', () => {
    expect(endOf(sent('10.0.0.2', echo(7)), sent('10.0.0.3', echo(7)))).toMatchObject({ end: 'delivered' });
    expect(endOf(sent('10.0.0.2', echo(7)), sent('10.0.0.2', echo(8)))).toMatchObject({ end: 'reply-not-matched' });
  });

  it('about a datagram finds it by both ends', () => {
    expect(endOf(sent('10.0.0.2', datagram), sent('10.0.0.2', datagram))).toMatchObject({ end: 'delivered' });
    expect(endOf(sent('10.0.0.2', datagram), sent('10.0.0.3', datagram))).toMatchObject({ end: 'reply-not-matched' });
  });
});
