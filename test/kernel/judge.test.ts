import { describe, expect, it } from 'vitest';
import type { Packet } from '../../src/net/packet.ts';
import { hostOf, podPlace } from '../../src/net/place.ts';
import type { LeafEnd } from '../../src/simulate/trace.ts';
import { judge, kindOf, type Observation } from './judge.ts';
import type { Expected, Story } from './story.ts';
import type { WireEvent } from './wire-event.ts';

const PACKET: Packet = {
  ip: { source: '10.1.1.11', destination: '10.9.0.1', ttl: 64, tos: 0, df: true },
  l4: { protocol: 'udp', sourcePort: 20000, destinationPort: 53 },
  lengthBytes: 48,
};
const ANSWER: Packet = {
  ip: { source: '10.9.0.1', destination: '10.1.1.11', ttl: 64, tos: 0, df: true },
  l4: { protocol: 'udp', sourcePort: 53, destinationPort: 20000 },
  lengthBytes: 48,
};

function frame(ns: string, device: string, way: 'in' | 'out', { ip, l4, lengthBytes }: Packet): WireEvent {
  const ports = l4 as { sourcePort: number; destinationPort: number };
  const { source, destination, ttl, tos } = ip;
  const { sourcePort, destinationPort } = ports;
  return {
    ...{ ns, device, way, source, destination, sourcePort, destinationPort, what: 'udp', ttl, tos, lengthBytes },
    ...{ fragment: false, other: false, multicast: false, mac: '020000000001' },
  };
}

const expected = (ns: string, device: string, way: 'in' | 'out', packet: Packet, maybe = false): Expected => ({
  ...{ ns, device, way, packet, maybe },
});

function end(how: LeafEnd['end'], where: LeafEnd['place'], senderSees: LeafEnd['senderSees']): Story['ends'][number] {
  return {
    end: how,
    place: where,
    senderSees,
    packet: PACKET,
    meta: { mark: 0, connmark: 0, conntrack: 'new', zone: 0, nat: [] },
  };
}

const SERVER = hostOf('a');
const CLIENT = podPlace('a', 'pt', 'a1');
const SERVER_IP = (source: string): string => (source.includes(':') ? 'fd00::9' : '10.9.0.1');
const STORY: Story = {
  events: [
    expected('a1', 'eth0', 'out', PACKET),
    expected('a', 'v1', 'in', PACKET),
    expected('a', 'v1', 'out', ANSWER),
    expected('a1', 'eth0', 'in', ANSWER),
  ],
  steps: [],
  ends: [end('delivered', SERVER, 'reply'), end('delivered', CLIENT, 'reply')],
  isUnknown: false,
  because: '',
  isOpen: false,
  connections: [],
  learnt: [],
};
const SEEN: Observation = {
  error: null,
  soError: null,
  connected: false,
  queue: [],
  answers: [['10.9.0.1', 53, 20]],
  received: [{ socket: 0 }],
  events: [
    frame('a', 'v1', 'in', PACKET),
    frame('a', 'v1', 'out', ANSWER),
    frame('a1', 'eth0', 'out', PACKET),
    frame('a1', 'eth0', 'in', ANSWER),
  ],
  talkative: [],
};
const SOCKETS = [{ ns: 'a', protocol: 'udp', family: 6, address: '::', port: 53 } as const];

const verdict = (seen: Observation, ...stories: Story[]): string =>
  judge({ protocol: 'udp', stories, seen, sockets: SOCKETS }).kind;

describe('a story', () => {
  it('agrees with what was seen, whatever the order between namespaces', () => {
    expect(verdict(SEEN, STORY)).toBe('agrees');
  });

  it.each([
    ['a frame that was not seen', { ...SEEN, events: SEEN.events.slice(1) }],
    ['a frame more', { ...SEEN, events: [...SEEN.events, frame('a', 'v1', 'out', ANSWER)] }],
    ['another TTL', { ...SEEN, events: [{ ...SEEN.events[0]!, ttl: 63 }, ...SEEN.events.slice(1)] }],
    ['another device', { ...SEEN, events: [{ ...SEEN.events[0]!, device: 'v2' }, ...SEEN.events.slice(1)] }],
    ['nobody received it', { ...SEEN, received: [] }],
    ['no answer', { ...SEEN, answers: [] }],
    ['an error', { ...SEEN, queue: [['ECONNREFUSED', 2, 3, 3] as const] }],
  ])('does not: %s', (_, seen) => {
    expect(verdict(seen, STORY)).toBe('disagrees');
  });

  it('has an error for each fragment of IPv6, and one for all of IPv4', () => {
    const errorOf = (source: string, type: number): Packet => ({
      ...PACKET,
      ip: { ...PACKET.ip, source: SERVER_IP(source), destination: source },
      l4: {
        protocol: source.includes(':') ? 'icmpv6' : 'icmp',
        type,
        code: 3,
        about: { ...PACKET, ip: { ...PACKET.ip, source }, fragmentBytes: 1496 },
      },
    });
    const told = (error: Packet, times: number): string => {
      const events = Array.from({ length: times }, () => ({
        ...frame('a', 'v1', 'out', error),
        what: kindOf(error),
      }));
      const story: Story = {
        ...STORY,
        events: [expected('a', 'v1', 'out', error)],
        ends: [end('no-route', SERVER, 'nothing')],
      };
      return verdict({ ...SEEN, events, received: [], answers: [] }, story);
    };
    expect([told(errorOf('fd00::1', 1), 1), told(errorOf('fd00::1', 1), 3)]).toEqual(['agrees', 'agrees']);
    expect([told(errorOf('10.1.1.11', 3), 1), told(errorOf('10.1.1.11', 3), 3)]).toEqual(['agrees', 'disagrees']);
  });

  it('may be one of several', () => {
    const dropped: Story = {
      ...STORY,
      events: STORY.events.slice(0, 2),
      ends: [end('dropped-by-rule', SERVER, 'nothing')],
    };
    const silent: Observation = { ...SEEN, events: [SEEN.events[0]!, SEEN.events[2]!], answers: [], received: [] };
    expect(verdict(SEEN, dropped, STORY)).toBe('agrees');
    expect(verdict(silent, dropped, STORY)).toBe('agrees');
    expect(verdict(silent, STORY)).toBe('disagrees');
  });

  it('that ends in the unknown is no agreement, and must hold as far as it goes', () => {
    const unknown: Story = {
      ...STORY,
      events: STORY.events.slice(0, 2),
      ends: [end('insufficient-information', SERVER, 'nothing')],
      isUnknown: true,
    };
    expect(verdict(SEEN, unknown)).toBe('undecided');
    expect(verdict({ ...SEEN, events: SEEN.events.slice(1) }, unknown)).toBe('disagrees');
  });

  it('may end at a device that the frame was still seen on', () => {
    const last = { ...STORY, events: [STORY.events[0]!, STORY.events[1]!, expected('a', 'v2', 'out', PACKET, true)] };
    const died: Story = { ...last, ends: [end('link-down', SERVER, 'nothing')] };
    const silent: Observation = { ...SEEN, events: [SEEN.events[0]!, SEEN.events[2]!], answers: [], received: [] };
    expect(verdict(silent, died)).toBe('agrees');
    expect(verdict({ ...silent, events: [...silent.events, frame('a', 'v2', 'out', PACKET)] }, died)).toBe('agrees');
  });

  it('must tell the error that the sender was told', () => {
    const refused: Story = {
      ...STORY,
      events: STORY.events.slice(0, 2),
      ends: [end('no-listener', SERVER, 'icmp 3/3')],
    };
    const told = (code: number): Observation => ({
      ...SEEN,
      events: [SEEN.events[0]!, SEEN.events[2]!],
      answers: [],
      received: [],
      queue: [['ECONNREFUSED', 2, 3, code]],
    });
    expect(verdict(told(3), refused)).toBe('agrees');
    expect(verdict(told(1), refused)).toBe('disagrees');
  });
});
