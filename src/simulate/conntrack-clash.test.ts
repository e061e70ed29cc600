import { describe, expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import { confirm, track } from './conntrack.ts';
import { isRefused, isTaken } from './conntrack-clash.ts';
import { answerTo } from './simulate-round-trip.ts';
import { buildPacket, tcpSyn } from './testing/build-hook-input.ts';
import { type Connection, NO_CONNECTIONS, release, type Tracking, untouched } from './tracking.ts';

const W1 = hostOf('w1');
const DATAGRAM = buildPacket({
  source: '10.0.0.1',
  destination: '10.0.0.2',
  l4: { protocol: 'udp', sourcePort: 40000, destinationPort: 53 },
});

function begun(packet: typeof DATAGRAM, tracking: Tracking, meta = untouched()): Tracking {
  return track(W1, packet, meta, tracking).tracking;
}

describe('a new entry', () => {
  const zoned = { ...untouched(), zone: 7, zoneDirection: 'reply' as const };
  const known = release(confirm(begun(DATAGRAM, NO_CONNECTIONS, zoned), zoned));

  it('is refused where the answers of another were not found by their zone (Linux 6.18: EPERM)', () => {
    const answer = begun(answerTo(DATAGRAM), known);
    expect(answer.current!.reply).toBe(false);
    expect(isRefused(answer)).toBe(true);
  });

  it('is let in where it stands alone, or where its zone is the same', () => {
    expect(isRefused(begun(answerTo(DATAGRAM), NO_CONNECTIONS))).toBe(false);
    const answer = begun(answerTo(DATAGRAM), known, { ...untouched(), zone: 7 });
    expect(answer.current!.reply).toBe(true);
    expect(isRefused(answer)).toBe(false);
  });

  it('of the same flow joins the other, of datagrams; TCP knows no clash', () => {
    const first = begun(DATAGRAM, NO_CONNECTIONS);
    const both: Tracking = { ...first, connections: [{ ...first.current!.connection, confirmed: true }] };
    expect(isRefused(both)).toBe(false);
    const syn = begun(buildPacket({ l4: { ...tcpSyn(80), sourcePort: 40000 } as never }), NO_CONNECTIONS);
    expect(isRefused({ ...syn, connections: [{ ...syn.current!.connection, confirmed: true }] })).toBe(true);
  });
});

describe('a port that NAT draws at random', () => {
  const translated = (sourcePort: number): Connection => {
    const { connection } = begun({ ...DATAGRAM, l4: { ...DATAGRAM.l4, sourcePort } as never }, NO_CONNECTIONS).current!;
    return { ...connection, answer: { ...connection.answer, destination: '10.0.0.9', destinationPort: 'ephemeral' } };
  };
  const former = { ...translated(40000), confirmed: true };

  it('is another one for another flow, so that neither refuses the other', () => {
    const current = { connection: translated(40001), reply: false };
    expect(isRefused({ current, connections: [former] })).toBe(false);
  });
});

describe('isTaken', () => {
  const other: Connection = begun(DATAGRAM, NO_CONNECTIONS).current!.connection;
  const mine: Connection = { ...other, original: { ...other.original, source: '10.0.0.9' } };

  it('asks for the answers of another connection, of the same zone and namespace', () => {
    expect(isTaken(other.answer, mine, [other])).toBe(true);
    expect(isTaken(other.answer, mine, [{ ...other, table: 'w2' }])).toBe(false);
    expect(isTaken(other.answer, mine, [{ ...other, zones: { original: 1, answer: 1 } }])).toBe(false);
    expect(isTaken({ ...other.answer, destinationPort: 'ephemeral' }, mine, [other])).toBe(false);
  });
});
