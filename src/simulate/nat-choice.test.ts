import { describe, expect, it } from 'vitest';
import type { Packet, Port } from '../net/packet.ts';
import { hostOf } from '../net/place.ts';
import { track } from './conntrack.ts';
import type { HookOutcome } from './hook.ts';
import { bind } from './nat.ts';
import { buildPacket } from './testing/build-hook-input.ts';
import { type Connection, NO_CONNECTIONS, untouched } from './tracking.ts';
import { reversed } from './tuple.ts';

type Nat = NonNullable<HookOutcome['nat']>;

const W1 = hostOf('w1');

function udp(source: string, sourcePort: Port, destination: string, destinationPort: number): Packet {
  return buildPacket({ source, destination, l4: { protocol: 'udp', sourcePort, destinationPort } });
}

function begun(packet: Packet): Connection {
  return track(W1, packet, untouched(), NO_CONNECTIONS).tracking.current!.connection;
}

/** What these packets, one after the other, are translated to. */
function translations(packets: readonly Packet[], nat: Nat): string[] {
  const connections: Connection[] = [];
  return packets.map((packet) => {
    const binding = bind(begun(packet), nat, () => undefined, connections);
    if (binding.kind !== 'bound') throw new Error(binding.because);
    const [way] = binding.ways;
    connections.push({ ...way!, confirmed: true });
    const { source, sourcePort, destination, destinationPort } = reversed(way!.answer);
    return nat.kind === 'source' ? `${source} ${sourcePort}` : `${destination} ${destinationPort}`;
  });
}

describe('addresses of a range, as Linux 6.18 chose them (conntrack -L)', () => {
  const four = { address: '10.7.3.10', addressTo: '10.7.5.40' };
  const six = { address: 'fd07::1:0:10', addressTo: 'fd07::3:0:40' };
  const to4 = (port: number) => ['2', '3', '77'].map((last) => udp('10.7.0.1', 30000 + port, `10.7.0.${last}`, port));
  const to6 = (port: number) => ['2', '3', '77'].map((last) => udp('fd07::1', 30000 + port, `fd07::${last}`, port));

  it('of a source: what the same socket was mapped to before goes on', () => {
    expect(translations(to4(1000), { kind: 'source', to: four })).toEqual([
      '10.7.4.189 31000',
      '10.7.4.189 31000',
      '10.7.4.189 31000',
    ]);
    expect(translations(to4(1001), { kind: 'source', to: four, persistent: true })[0]).toBe('10.7.4.162 31001');
    expect(translations(to6(1000), { kind: 'source', to: six })[0]).toBe('fd07::2:69f3:379e 31000');
    expect(translations(to6(1001), { kind: 'source', to: six, persistent: true })[0]).toBe('fd07::1:5d0:72cb 31001');
  });

  it('of a destination', () => {
    expect(translations(to4(1002), { kind: 'destination', to: four })).toEqual([
      '10.7.4.189 1002',
      '10.7.5.29 1002',
      '10.7.3.16 1002',
    ]);
    expect(translations(to6(1002), { kind: 'destination', to: six })).toEqual([
      'fd07::2:6bf3:379e 1002',
      'fd07::2:a5e7:e09c 1002',
      'fd07::2:89bd:2617 1002',
    ]);
    expect(translations(to4(1003).slice(0, 1), { kind: 'destination', to: four, persistent: true })).toEqual([
      '10.7.4.162 1003',
    ]);
  });

  it('of destination ports: the first that is free, from a base where there is one', () => {
    const range = { address: '10.7.0.2', port: 2000, portTo: 2005, portBase: 1010 };
    expect(translations(to4(1010), { kind: 'destination', to: range })).toEqual([
      '10.7.0.2 2000',
      '10.7.0.2 2001',
      '10.7.0.2 2002',
    ]);
    expect(translations(to4(1017), { kind: 'destination', to: range })[0]).toBe('10.7.0.2 2001');
    const plain = { address: '10.7.0.2', port: 1025, portTo: 1027 };
    expect(translations(to4(1026), { kind: 'destination', to: plain })).toEqual([
      '10.7.0.2 1026',
      '10.7.0.2 1025',
      '10.7.0.2 1027',
    ]);
  });
});

describe('source ports', () => {
  const one = (port: Port, nat: Omit<Nat, 'kind'>, connections: readonly Connection[] = []) => {
    const binding = bind(
      begun(udp('10.0.0.5', port, '10.0.0.9', 53)),
      { kind: 'source', ...nat },
      () => undefined,
      connections,
    );
    return binding.kind === 'bound'
      ? binding.ways.map(({ answer, chosenFrom }) => [answer.destinationPort, chosenFrom])
      : [];
  };
  const other = begun(udp('10.0.0.1', 40000, '10.0.0.9', 53));
  const low = begun(udp('10.0.0.1', 111, '10.0.0.9', 53));

  it('are kept where they are free', () => {
    expect(one(40000, { to: { address: '10.0.0.1' } })).toEqual([[40000, undefined]]);
    expect(one(40001, { to: { address: '10.0.0.1' } }, [other])).toEqual([[40001, undefined]]);
  });

  it('are drawn from their kind where another connection has them', () => {
    expect(one(40000, { to: { address: '10.0.0.1' } }, [other])).toEqual([['ephemeral', { from: 1024, to: 65535 }]]);
    expect(one(111, { to: { address: '10.0.0.1' } }, [low])).toEqual([['ephemeral', { from: 1, to: 511 }]]);
  });

  it('are drawn where the rule says so, and from the range that it gives', () => {
    expect(one(40000, { to: { address: '10.0.0.1' }, fullyRandom: true })).toEqual([
      ['ephemeral', { from: 1024, to: 65535 }],
    ]);
    expect(one('ephemeral', { to: { address: '10.0.0.1', port: 1000, portTo: 1010 } })).toEqual([
      ['ephemeral', { from: 1000, to: 1010 }],
    ]);
    expect(one(40000, { to: { address: '10.0.0.1', port: 7, portTo: 7 }, random: true })).toEqual([[7, undefined]]);
  });

  it('of a destination that is drawn: each way, or none told of too many', () => {
    const connection = begun(udp('10.0.0.5', 40000, '10.0.0.9', 53));
    const to = (portTo: number) =>
      bind(
        connection,
        { kind: 'destination', to: { address: '10.0.0.2', port: 80, portTo }, random: true },
        () => undefined,
      );
    const few = to(83);
    expect(few.kind === 'bound' && few.ways.map((way) => way.answer.sourcePort)).toEqual([80, 81, 82, 83]);
    expect(to(8000).kind).toBe('unknown');
  });
});
