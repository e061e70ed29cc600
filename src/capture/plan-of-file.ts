import { hostOf } from '../net/place.ts';
import type { CaptureFile } from '../wire/capture-file.ts';
import { conversationsOf } from './conversations.ts';
import { sightingsOf } from './sighting.ts';
import type { Tuple } from './visit.ts';
import type { WatchPlan, Way } from './watch-plan.ts';

/**
 * A plan for a file that does not tell where it was made: its interfaces in the order in which they saw the first packet of each
 * conversation. It takes the clocks of all interfaces to be the same, which holds for captures of one machine.
 */
export function planOfFile(file: CaptureFile): WatchPlan {
  const points = file.interfaces.map(({ name, description }, index) => ({
    place: hostOf(description ?? `interface ${index + 1}`),
    device: name ?? `${index + 1}`,
    tuples: [],
  }));
  const orders = conversationsOf(sightingsOf(file).seen).map(({ sightings, leg }) => {
    const opener = sightings.find((one) => leg(one) === 'there')?.key;
    return [...new Set(sightings.filter(({ key }) => key === opener).map(({ point }) => point))];
  });
  const longest = orders.reduce((most, order) => (order.length > most.length ? order : most), []);
  const ways: Way[] = longest.length === 0 ? [] : [wayOf('there', longest), wayOf('back', longest.toReversed())];
  return { points, ways, left: 0 };
}

const ANY: Tuple = { protocol: 0, source: '0.0.0.0', destination: '0.0.0.0' };

function wayOf(leg: Way['leg'], order: readonly number[]): Way {
  return { leg, made: 0, steps: order.map((point) => ({ point, way: 'in', tuple: ANY })) };
}
