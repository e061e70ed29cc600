import { AFTER_PROBES, type Reply, type Request } from '../host/host.ts';
import { CLUSTER, type Place, placeKey } from '../net/place.ts';
import { factKey } from './fact-key.ts';
import { rememberFacts } from './fact-memo.ts';
import type { FactArgs, FactName, Facts } from './facts.ts';
import { observeReply } from './observe-reply.ts';
import { overlaySnapshot } from './overlay-snapshot.ts';
import type { Observed, Snapshot } from './snapshot.ts';

/** Replies as they come in; a snapshot of them can be taken at any time and does not change afterwards. */
export interface ReplyStore {
  add(reply: Reply): void;
  /** In the order in which they came, with those that a later reply to the same question replaced. */
  replies(): readonly Reply[];
  snapshot(): Snapshot;
}

export function createSnapshot(replies: Iterable<Reply>): Snapshot {
  const store = createReplyStore();
  for (const reply of replies) store.add(reply);
  return store.snapshot();
}

export function createReplyStore(): ReplyStore {
  const replies: Reply[] = [];
  const index = newIndex();
  let taken: Snapshot | undefined;
  return {
    add: (reply) => {
      replies.push(reply);
      addToIndex(index, reply);
      taken = undefined;
    },
    replies: () => [...replies],
    snapshot: () => {
      taken ??= snapshotOf({ first: new Map(index.first), after: new Map(index.after), places: new Map(index.places) });
      return taken;
    },
  };
}

interface Index {
  /** By factKey. */
  readonly first: Map<string, Reply>;
  readonly after: Map<string, Reply>;
  /** By placeKey; with the pod's uid where some request knew it. */
  readonly places: Map<string, { readonly place: Place; readonly podUid?: string }>;
}

function newIndex(): Index {
  return { first: new Map(), after: new Map(), places: new Map() };
}

function addToIndex(index: Index, reply: Reply): void {
  const { action, place, args, round, podUid } = reply.request;
  const key = factKey(action, place, args);
  const looks = round === AFTER_PROBES ? index.after : index.first;
  const known = looks.get(key);
  // The first reply counts, since a later one may have seen our own probes; but an answer is better than a gap.
  if (!known || (known.got === 'nothing' && reply.got === 'raw')) looks.set(key, reply);
  const there = placeKey(place);
  if (!index.places.get(there)?.podUid) {
    const bare: Place = { node: place.node, namespace: place.namespace };
    index.places.set(there, { place: bare, ...(podUid !== undefined && { podUid }) });
  }
}

function snapshotOf(index: Index): Snapshot {
  const snapshot: Snapshot = {
    fact: rememberFacts((name, place, args) => look(index.first, name, place, args, 0)),
    after: rememberFacts((name, place, args) => look(index.after, name, place, args, AFTER_PROBES)),
    placesOf: (node) =>
      [...index.places.values()].map((known) => known.place).filter((place) => place.node === node && node !== ''),
    nodes: () => [...new Set([...index.places.values()].map(({ place }) => place.node).filter((node) => node !== ''))],
    with: (changes) => (changes.length === 0 ? snapshot : overlaySnapshot(snapshot, changes)),
  };

  function look<K extends FactName>(
    looks: ReadonlyMap<string, Reply>,
    name: K,
    place: Place,
    args: FactArgs | undefined,
    round: number,
  ): Observed<Facts[K]> {
    const reply = looks.get(factKey(name, place, args));
    if (reply) return observeReply(name, reply);
    const want = wanted(name, place, args ?? {}, round);
    return { state: 'unseen', gap: 'not-asked', detail: `${name} was not asked here`, want };
  }

  function wanted(action: FactName, place: Place, args: FactArgs, round: number): Request {
    const bare: Place = { node: place.node, namespace: place.namespace };
    const podUid = place.namespace === 'host' ? undefined : podUidOf(bare);
    return { action, place: bare, args, round, ...(podUid !== undefined && { podUid }) };
  }

  function podUidOf(place: Place): string | undefined {
    const known = index.places.get(placeKey(place))?.podUid;
    if (known !== undefined) return known;
    const pods = snapshot.fact('api.pods', CLUSTER);
    if (pods.state === 'unseen') return undefined;
    const name = place.namespace.slice('pod/'.length);
    return pods.value.find((pod) => `${pod.metadata.namespace}/${pod.metadata.name}` === name)?.metadata.uid;
  }

  return snapshot;
}
