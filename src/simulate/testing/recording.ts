/** Recordings of tools/record-replies.ts as snapshots, and with other text in place of a reply's. */
import type { Reply } from '../../host/host.ts';
import { type Place, placeKey } from '../../net/place.ts';
import { createSnapshot } from '../../snapshot/create-snapshot.ts';
import type { FactName } from '../../snapshot/facts.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';

export function parseRecording(text: string): Reply[] {
  const replies = JSON.parse(text) as (Omit<Reply, 'raw'> & { raw?: string; got: string })[];
  return replies.map((reply) => {
    return { ...reply, ...(reply.raw === undefined ? {} : { raw: new TextEncoder().encode(reply.raw) }) } as Reply;
  });
}

export type Edit = readonly [name: FactName, place: Place, edit: (text: string) => string];

/** The recording with some replies' text changed: what the tool would print after the state was changed. */
export function edited(replies: readonly Reply[], edits: readonly Edit[]): Snapshot {
  return createSnapshot(
    replies.map((reply) => {
      if (reply.got !== 'raw') return reply;
      const raw = edits
        .filter(([name, place]) => reply.request.action === name && placeKey(reply.request.place) === placeKey(place))
        .reduce((bytes, [name, , edit]) => changed(bytes, name, edit), reply.raw);
      return { ...reply, raw };
    }),
  );
}

/** An edit that changes nothing tests nothing. */
function changed(bytes: Uint8Array, name: string, edit: (text: string) => string): Uint8Array {
  const before = new TextDecoder().decode(bytes);
  const after = edit(before);
  if (after === before) throw new Error(`the edit of ${name} changed nothing`);
  return new TextEncoder().encode(after);
}

/** The recording without what one place, or one fact of it, answered. */
export function without(replies: readonly Reply[], place: Place, names?: readonly FactName[]): Snapshot {
  return createSnapshot(
    replies.filter(({ request }) => {
      const isThere = placeKey(request.place) === placeKey(place);
      return !isThere || (names !== undefined && !names.includes(request.action as FactName));
    }),
  );
}
