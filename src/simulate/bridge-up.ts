import type { Link } from '../parse/ip-link.ts';
import { blocked } from './bridge-blocked.ts';
import type { InVlan } from './bridge-port.ts';
import { vlanOnExit } from './bridge-vlans.ts';
import { type Cursor, go, type Move, type Stage, stop, unknownEnd, type Walk } from './cursor.ts';
import { withTag } from './frame.ts';
import { atFrameHook } from './frame-hook.ts';
import { makeStep, sourceOf } from './steps.ts';

export type AtBridge = Cursor & { readonly stage: Extract<Stage, { name: 'bridge' }> };

/**
 * To the host itself (br_pass_frame_up), as a frame that the bridge's own device receives. The MAC of the bridge or of the
 * port that it came by makes it one for this host; another port's MAC is a local entry, and yet the host does not take it.
 */
export function handedUp(walk: Walk, cursor: AtBridge, master: Link, from: Link, entry: InVlan): Move {
  const { snapshot } = walk.world;
  const mac = cursor.packet.macs!.destination;
  const exit = vlanOnExit(snapshot, cursor.place, master, master.name, entry);
  if (exit.state === 'unknown') return stop(unknownEnd(cursor, exit.because, exit.wants));
  if (exit.state === 'refused') return blocked(walk, cursor, { mac, reason: 'vlan' }, exit.text);
  const step = makeStep({
    kind: 'bridge',
    at: `bridge ${master.name}`,
    source: sourceOf(snapshot.fact('fdb', cursor.place)),
    values: { bridge: master.name, inputPort: cursor.stage.port, mac, by: 'local' },
    text: `${mac} is ${master.name} itself: up to the host`,
  });
  const packet = withTag(cursor.packet, exit.tag);
  return go(up(walk, { ...cursor, packet }, master, mac === master.mac || mac === from.mac), [step]);
}

/** Through the bridge's input hook. What prerouting has seen in the bridge it does not see again (ip_sabotage_in). */
export function up(walk: Walk, cursor: AtBridge, master: Link, isMine: boolean): Cursor {
  const { port, hooked } = cursor.stage;
  const layer = { kind: 'bridge', bridge: master.name, ...(port === undefined ? {} : { input: port }) } as const;
  const arriving: Stage = {
    name: 'arrive',
    device: master.name,
    within: true,
    ...(hooked && { sabotaged: true as const }),
    ...(isMine && { mine: true as const }),
  };
  const inside = { ...cursor, path: { ...cursor.path, input: master.name, local: false } };
  return atFrameHook(walk.world.snapshot, inside, 'input', layer, arriving);
}
