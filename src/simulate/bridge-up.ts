import type { Link } from '../parse/ip-link.ts';
import type { Cursor, Stage } from './cursor.ts';

export type AtBridge = Cursor & { readonly stage: Extract<Stage, { name: 'bridge' }> };

/** To the host itself. What prerouting has seen in the bridge it does not see again (ip_sabotage_in). */
export function handedUp(cursor: AtBridge, master: Link): Cursor {
  const route: Stage = { name: 'route-input' };
  const path = { ...cursor.path, input: master.name, local: false };
  return {
    ...cursor,
    path,
    stage: cursor.stage.hooked ? route : { name: 'hook', hook: 'prerouting', next: 0, after: route },
  };
}
