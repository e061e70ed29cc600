import { expect, test } from 'vitest';
import { hostOf, podPlace } from '../net/place.ts';
import type { DropEvent } from '../parse/drop-events.ts';
import { dropSightings, type PlaceOfInode } from './drop-sightings.ts';

const event = (more: Partial<DropEvent> = {}): DropEvent => ({
  atNs: 1n,
  term: 0,
  isTurned: false,
  as: 'itself',
  sourcePort: 4000,
  destinationPort: 80,
  reason: 'NETFILTER_DROP',
  function: 'nft_do_chain',
  namespace: 7,
  device: 'eth0',
  ...more,
});
const PLACES: PlaceOfInode = (node, inode) =>
  inode === 7 ? hostOf(node) : inode === 8 ? podPlace(node, 'shop', 'web') : undefined;
const sightings = (events: readonly DropEvent[], own?: readonly number[]) =>
  dropSightings(
    [
      {
        node: 'w1',
        request: { action: 'drops.stop', place: hostOf('w1'), args: {}, round: 0 },
        seen: { events, isWatched: true, lost: 0 },
      },
    ],
    PLACES,
    own && { sourcePorts: new Set(own) },
  );

test('packets that met the same end are told together, in their namespace', () => {
  const [first, second] = sightings([event(), event({ atNs: 2n, sourcePort: 4001 }), event({ namespace: 8 })]);
  expect(first).toMatchObject({ place: hostOf('w1'), packets: 2, leg: 'there' });
  expect(second).toMatchObject({ place: podPlace('w1', 'shop', 'web'), packets: 1 });
});

test('a namespace that is none of the node’s is not its own: on one machine every node of a lab hears of all', () => {
  expect(sightings([event({ namespace: 99 }), event({ namespace: 0 })])).toEqual([]);
});

test('others’ connections between the same ends are left out, there and back', () => {
  const back = event({ isTurned: true, sourcePort: 80, destinationPort: 4001 });
  expect(sightings([event(), event({ sourcePort: 5000 }), back], [4000, 4001])).toMatchObject([
    { leg: 'there', packets: 1 },
    { leg: 'back', packets: 1 },
  ]);
});

test('an ICMP error goes the other way than the packet that it quotes', () => {
  expect(sightings([event({ as: 'quoted' })])).toMatchObject([{ leg: 'back', as: 'quoted' }]);
});
