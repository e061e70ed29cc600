import type { Link } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { type Cursor, type Move, stop } from './cursor.ts';
import { makeStep, sourceOf } from './steps.ts';
import type { Step } from './trace.ts';
import { withError } from './with-error.ts';

/** Set up by its administrator and with a carrier (IFF_UP, IFF_LOWER_UP of netdevice(7)). */
export function isUp(link: Link): boolean {
  return link.flags.includes('UP') && !link.flags.includes('NO-CARRIER') && link.operstate !== 'LOWERLAYERDOWN';
}

export function linkStep(snapshot: Snapshot, cursor: Cursor, link: Link, reason: string, text: string): Step {
  const links = snapshot.fact('links', cursor.place);
  return makeStep({
    kind: 'link',
    at: `device ${link.name}`,
    matched: 'no',
    source: sourceOf(links, `${link.name}: <${link.flags.join(',')}> state ${link.operstate}`),
    values: {
      device: link.name,
      up: link.flags.includes('UP'),
      carrier: !link.flags.includes('NO-CARRIER'),
      operstate: link.operstate,
      reason,
    },
    text,
  });
}

/**
 * A device without a carrier has lost its neighbours and finds none, which a sender of IP is told; one that is set down,
 * or a frame on its way through, goes in silence.
 */
export function noCarrier(snapshot: Snapshot, cursor: Cursor, link: Link): Move {
  const step = linkStep(snapshot, cursor, link, 'no-carrier', noCarrierText(link));
  return stop(withError(cursor, 'link-down', 'host'), [step]);
}

function noCarrierText(link: Link): string {
  return `${link.name} has no carrier: its other end is gone or down`;
}

export function linkDown(snapshot: Snapshot, cursor: Cursor, link: Link): Move {
  const isAdministratively = !link.flags.includes('UP');
  const reason = isAdministratively ? 'down' : 'no-carrier';
  const text = isAdministratively
    ? `${link.name} is down`
    : `${link.name} has no carrier: its other end is gone or down`;
  const step = linkStep(snapshot, cursor, link, reason, text);
  return stop({ end: 'link-down', cursor, senderSees: 'nothing' }, [step]);
}
