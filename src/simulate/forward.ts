import { type Cursor, familyAt, go, type Move, stop, type Walk } from './cursor.ts';
import { exceedsForwarding } from './mtu.ts';
import { makeStep, sourceOf } from './steps.ts';
import { withError } from './with-error.ts';

/** ip_forward, ip6_forward: TTL, size, one hop less, the forward hook, postrouting. */
export function forward(walk: Walk, cursor: Cursor): Move {
  const { packet } = cursor;
  if (packet.ip.ttl <= 1) {
    const step = makeStep({
      kind: 'link',
      at: 'forward',
      matched: 'no',
      source: sourceOf(walk.world.snapshot.fact('routes', cursor.place, { family: familyAt(cursor) })),
      values: { reason: 'ttl' },
      text: 'the TTL is used up',
    });
    return stop(withError(cursor, 'ttl-exceeded', 'ttl'), [step]);
  }
  const tooBig = exceedsForwarding(walk, cursor);
  if (tooBig) return tooBig;
  const forwarded = { ...packet, ip: { ...packet.ip, ttl: packet.ip.ttl - 1 } };
  const finish = { name: 'finish' } as const;
  const postrouting = { name: 'hook', hook: 'postrouting', next: 0, after: finish } as const;
  return go({ ...cursor, packet: forwarded, stage: { name: 'hook', hook: 'forward', next: 0, after: postrouting } });
}
