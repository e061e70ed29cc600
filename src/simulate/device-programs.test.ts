import { describe, expect, it } from 'vitest';
import { simulateRoundTrip } from './simulate-round-trip.ts';
import { buildPacket, tcpSyn } from './testing/build-hook-input.ts';
import type { TextFact } from './testing/build-snapshot.ts';
import { device, type Json, W1, W2, world } from './testing/wired-world.ts';
import type { LeafEnd, RoundTrip, Step } from './trace.ts';

const CLSACT = {
  kind: 'clsact',
  handle: 'ffff:',
  dev: 'eth0',
  parent: 'ffff:fff1',
  bytes: 0,
  packets: 9,
  drops: 4,
  overlimits: 0,
  backlog: 0,
};

function trip(more: readonly TextFact[], nic: Json = {}, filters?: readonly Json[] | string): RoundTrip {
  const eth0 = (n: 1 | 2, own: Json = {}): Json =>
    device('eth0', 3, undefined, { address: `02:00:00:00:02:0${n}`, addresses: [`192.0.2.${n}/24`], ...own });
  const snapshot = world(
    [
      { place: W1, links: [eth0(1)] },
      { place: W2, links: [eth0(2, nic)], listens: true, more, ...(filters !== undefined && { filters }) },
    ],
    { w1: '192.0.2.1', w2: '192.0.2.2' },
  );
  const packet = buildPacket({ source: '192.0.2.1', destination: '192.0.2.2', l4: tcpSyn(80), lengthBytes: 60 });
  return simulateRoundTrip({ snapshot, gate: { parts: [], podAddressesRoutable: 'no' } }, { from: W1, packet });
}

const ends = ({ forward }: RoundTrip): LeafEnd['end'][] =>
  forward.segments.flatMap(({ then }) => ('end' in then ? [then.end] : []));
const filters = ({ forward }: RoundTrip): Step[] =>
  forward.segments.flatMap(({ hops }) => hops.flatMap(({ steps }) => steps.filter(({ kind }) => kind === 'filter')));

describe('programs on a device', () => {
  it('none: nothing is uncertain', () => {
    expect(ends(trip([]))).toEqual(['delivered']);
  });

  it('an XDP program is named, and both ways are walked', () => {
    const one = trip([], { xdp: { mode: 1, prog: { id: 7, name: 'filter_all' } } });
    expect(ends(one).toSorted()).toEqual(['delivered', 'insufficient-information']);
    expect(filters(one)[0]!.values).toMatchObject({ reason: 'xdp', device: 'eth0', program: 'filter_all' });
  });

  it('what the hook has dropped is told beside its filter', () => {
    const qdiscs: TextFact = ['qdiscs', W2, {}, JSON.stringify([CLSACT])];
    const one = trip([qdiscs], {}, [{ device: 'eth0', direction: 'ingress', kind: 'bpf', name: 'cil_from_netdev' }]);
    expect(ends(one).toSorted()).toEqual(['delivered', 'insufficient-information']);
    expect(filters(one)[0]!.values).toMatchObject({ reason: 'tc', program: 'bpf cil_from_netdev', drops: 4 });
    expect(filters(one)[0]!.text).toContain('has dropped 4');
  });

  it('a hook without filters does nothing; one whose filters could not be listed may', () => {
    const qdiscs: TextFact = ['qdiscs', W2, {}, JSON.stringify([CLSACT])];
    expect(ends(trip([qdiscs]))).toEqual(['delivered']);
    const cut = trip([qdiscs], {}, '[{"device":"eth1","direction":"ingr');
    expect(ends(cut).toSorted()).toEqual(['delivered', 'insufficient-information']);
    expect(filters(cut)[0]!.values).toMatchObject({ reason: 'tc', program: 'clsact, not listed' });
  });

  it('may be there where tc told neither hooks nor filters', () => {
    const cut = trip([], {}, '[{"device":"eth1","direction":"ingr');
    expect(ends(cut).toSorted()).toEqual(['delivered', 'insufficient-information']);
    expect(filters(cut)[0]!.text).toContain('tc told nothing');
  });
});
