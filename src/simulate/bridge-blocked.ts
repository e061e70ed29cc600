import type { AtBridge } from './bridge-up.ts';
import { type Move, stop, type Walk } from './cursor.ts';
import { makeStep, sourceOf } from './steps.ts';

/** A bridge does not pass the frame on. Nobody is told. */
export function blocked(
  walk: Walk,
  cursor: AtBridge,
  values: Parameters<typeof makeStep>[0]['values'],
  text: string,
  end: 'bridge-blocked' | 'not-for-this-mac' = 'bridge-blocked',
): Move {
  const step = makeStep({
    kind: 'bridge',
    at: `bridge ${cursor.stage.bridge}`,
    matched: 'no',
    source: sourceOf(walk.world.snapshot.fact('links', cursor.place)),
    values: { bridge: cursor.stage.bridge, inputPort: cursor.stage.port, ...values },
    text,
  });
  return stop({ end, cursor, senderSees: 'nothing' }, [step]);
}
