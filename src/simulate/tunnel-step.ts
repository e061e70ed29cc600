import type { Link } from '../parse/ip-link.ts';
import type { Source } from '../snapshot/snapshot.ts';
import type { Cursor, Walk } from './cursor.ts';
import { makeStep, sourceOf } from './steps.ts';
import type { Step } from './trace.ts';

export interface TunnelTelling {
  readonly act: 'encapsulate' | 'decapsulate' | 'drop';
  readonly text: string;
  readonly vni?: number | undefined;
  readonly key?: number | undefined;
  readonly remote?: string | undefined;
  readonly port?: number | undefined;
  readonly mac?: string | undefined;
  readonly peer?: string | undefined;
  readonly reason?: string | undefined;
  /** What says it; the device itself where it is left out. */
  readonly source?: Source | undefined;
}

/** What a tunnel device does with a packet. */
export function tunnelStep(walk: Walk, cursor: Cursor, link: Link, telling: TunnelTelling): Step {
  const { act, text, source, ...values } = telling;
  const kind = link.kind ?? 'tunnel';
  return makeStep({
    kind: 'tunnel',
    at: `${kind} ${link.name}`,
    matched: act === 'drop' ? 'no' : 'yes',
    source: source ?? sourceOf(walk.world.snapshot.fact('links', cursor.place)),
    values: {
      tunnel: kind,
      device: link.name,
      act,
      ...values,
      vni: values.vni ?? link.vxlan?.id ?? link.geneve?.id,
      port: values.port ?? link.vxlan?.port ?? link.geneve?.port,
      local: link.vxlan?.local ?? link.ipTunnel?.local,
      ownMac: link.mac,
    },
    text,
    features: [kind],
  });
}
