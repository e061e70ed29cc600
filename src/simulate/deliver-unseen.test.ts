import { describe, expect, it } from 'vitest';
import type { L4, Packet } from '../net/packet.ts';
import { parseSs } from '../parse/ss.ts';
import type { Sysctls } from '../parse/sysctls.ts';
import type { FactName, Facts } from '../snapshot/facts.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { ECHO, tcpSyn } from './testing/build-hook-input.ts';
import { B_MAC, device, W1, world } from './testing/wired-world.ts';
import type { LeafEnd } from './trace.ts';
import { simulateTrace } from './walk.ts';

const HOST = world([
  { place: W1, links: [device('eth0', 2, undefined, { address: B_MAC, addresses: ['192.0.2.1/24'] })] },
]);

/** The host, of which one fact says something else. */
function hostWith<K extends FactName>(name: K, value: Facts[K], complete = true): Snapshot {
  const own: Snapshot['fact'] = (asked, place, args) => {
    const observed = HOST.fact(asked, place, args);
    const said = { ...observed, state: 'seen', value, complete, unparsed: [] };
    return (String(asked) === name ? said : observed) as typeof observed;
  };
  return { ...HOST, fact: own };
}

function endsOf(snapshot: Snapshot, l4: L4): readonly LeafEnd[] {
  const packet: Packet = {
    ip: { source: '192.0.2.9', destination: '192.0.2.1', ttl: 64, tos: 0, df: true },
    l4,
    lengthBytes: 84,
  };
  const gate = { parts: [], podAddressesRoutable: 'no' } as const;
  const { segments } = simulateTrace({ snapshot, gate }, { from: W1, packet, arrivesBy: 'eth0' });
  return segments.flatMap(({ then }) => ('end' in then ? [then] : []));
}

const namesOf = (ends: readonly LeafEnd[]) => ends.map(({ end }) => end).toSorted();

describe('what is not seen of the far end', () => {
  const listener = {
    protocol: 'tcp',
    state: 'LISTEN',
    port: 80,
    receiveQueue: 0,
    sendQueue: 0,
    processes: [],
    text: '',
  } as const;

  it('goes both ways where it was not seen whether a socket of `::` takes IPv4 as well', () => {
    const ends = endsOf(hostWith('sockets', [{ ...listener, mayBeV6only: true }]), tcpSyn(80));
    expect(namesOf(ends)).toEqual(['delivered', 'no-listener']);
    expect(ends.find(({ end }) => end === 'no-listener')?.senderSees).toBe('reset');
    expect(namesOf(endsOf(hostWith('sockets', [listener]), tcpSyn(80)))).toEqual(['delivered']);
  });

  it('goes both ways where it was not seen whether echo requests are answered', () => {
    const seen = HOST.fact('sysctls', W1);
    const sysctls: Sysctls = seen.state === 'seen' ? seen.value : {};
    const told = (ignores: string) => ({ ...sysctls, 'net.ipv4.icmp_echo_ignore_all': ignores });
    expect(namesOf(endsOf(hostWith('sysctls', sysctls, false), ECHO))).toEqual(['delivered', 'no-listener']);
    expect(namesOf(endsOf(hostWith('sysctls', told('0'), false), ECHO))).toEqual(['delivered']);
    expect(namesOf(endsOf(hostWith('sysctls', told('1'), false), ECHO))).toEqual(['no-listener']);
    expect(namesOf(endsOf(HOST, ECHO))).toEqual(['delivered']);
  });

  it('loses a SYN where more connections wait than may, and goes both ways where only some of the sockets are full', () => {
    const ends = (...queues: string[]) => {
      const lines = queues.map((queue) => `tcp LISTEN ${queue} 0.0.0.0:80 0.0.0.0:*`);
      return namesOf(endsOf(hostWith('sockets', parseSs(lines.join('\n')).value), tcpSyn(80)));
    };
    expect(ends('129 128')).toEqual(['accept-queue-full']);
    expect(ends('128 128')).toEqual(['delivered']);
    expect(ends('129 128', '0 128')).toEqual(['accept-queue-full', 'delivered']);
  });

  it('does not know how many may wait where ss read /proc', () => {
    const ends = (waiting: number) => {
      const { value } = parseSs(`tcp LISTEN ${waiting} 0 0.0.0.0:80 0.0.0.0:*`, { byProc: true });
      return namesOf(endsOf(hostWith('sockets', value), tcpSyn(80)));
    };
    expect(ends(2)).toEqual(['accept-queue-full', 'delivered']);
    expect(ends(0)).toEqual(['delivered']);
  });
});
