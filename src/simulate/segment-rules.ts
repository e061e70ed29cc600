import type { Link } from '../parse/ip-link.ts';
import type { Station } from './cables.ts';
import type { Frame } from './frame.ts';
import { BRIDGE_NETFILTER } from './frame-hook.ts';
import { atDevice, type Hurdle, type Passage, throughHurdles } from './message-rules.ts';
import { leavingBridge, type NeighbourMessage } from './neighbour-message.ts';
import { netfilterCalled } from './netfilter-called.ts';
import { type Interruption, type Search, stopped } from './segment-search.ts';

/* The rules that a neighbour's message meets where a frame's reach is sought; without a message none is asked. */

export function throughDevice(search: Search, hook: 'ingress' | 'egress', at: Station, onward: () => void): void {
  if (search.message) through(search, at, atDevice(hook, at.link), onward);
  else onward();
}

interface InBridge {
  readonly bridge: Station;
  readonly from: Link | undefined;
  readonly frame: Frame;
}

/** Before the forwarding decision, of what came in by a port. */
export function throughPrerouting(search: Search, { bridge, from, frame }: InBridge, onward: () => void): void {
  const { message } = search;
  if (!message || !from) {
    onward();
    return;
  }
  const layer = { kind: 'bridge', bridge: bridge.link.name, input: from.name } as const;
  const calls = callsNetfilter(search, bridge, frame, message);
  const edge = BRIDGE_NETFILTER.prerouting;
  const input = bridge.link.name;
  const own: Hurdle = { hook: 'prerouting', layer, input: from.name };
  const shown: readonly Hurdle[] = [
    { ...own, layer: { ...layer, below: edge } },
    { hook: 'prerouting', input, physicalInput: from.name },
    { ...own, layer: { ...layer, from: edge } },
  ];
  if (calls === 'no') through(search, bridge, [own], onward);
  else if (calls === 'unknown') perhaps(search, bridge, [[own], shown], onward);
  else through(search, bridge, shown, () => withMessage(search, { ...search.message!, sabotaged: true }, onward));
}

/** Out by a port; br_netfilter stands last at postrouting. */
export function throughForward(search: Search, inside: InBridge, to: Link, onward: () => void): void {
  const { message } = search;
  if (message)
    forwarded(search, message, inside, to, () => withMessage(search, leavingBridge(search.message!), onward));
  else onward();
}

function forwarded(
  search: Search,
  message: NeighbourMessage,
  { bridge, from }: InBridge,
  to: Link,
  onward: () => void,
): void {
  const { name } = bridge.link;
  const leaving = { kind: 'bridge', bridge: name, output: to.name } as const;
  const last: Hurdle = { hook: 'postrouting', layer: leaving, output: to.name };
  if (!from) {
    through(search, bridge, [{ ...last, hook: 'output' }, last], onward);
    return;
  }
  const ports = { input: from.name, output: to.name };
  const own: Hurdle = { hook: 'forward', layer: { ...leaving, ...ports }, ...ports };
  if (!message.sabotaged) {
    through(search, bridge, [own, last], onward);
    return;
  }
  const physical = { physicalInput: from.name, physicalOutput: to.name };
  const edge = BRIDGE_NETFILTER.forward;
  const shown: readonly Hurdle[] = [
    { ...own, layer: { ...leaving, ...ports, below: edge } },
    { hook: 'forward', input: name, output: name, ...physical },
    { ...own, layer: { ...leaving, ...ports, from: edge } },
    last,
    { hook: 'postrouting', output: name, ...physical },
  ];
  through(search, bridge, shown, onward);
}

/** Up to the bridge's own device. */
export function throughBridgeInput(search: Search, { bridge, from }: InBridge, onward: () => void): void {
  if (!search.message || !from) {
    onward();
    return;
  }
  const layer = { kind: 'bridge', bridge: bridge.link.name, input: from.name } as const;
  through(search, bridge, [{ hook: 'input', layer, input: from.name }], onward);
}

function callsNetfilter({ snapshot }: Search, { place, link }: Station, { tag }: Frame, { arp }: NeighbourMessage) {
  return arp ? 'no' : netfilterCalled(snapshot, place, link, 6, tag !== undefined);
}

function through(search: Search, at: Station, hurdles: readonly Hurdle[], onward: () => void): void {
  follow(search, at, throughHurdles(search.snapshot, at.place, search.message!, hurdles), onward);
}

/** Which of the ways it goes is not known. */
function perhaps(search: Search, at: Station, ways: readonly (readonly Hurdle[])[], onward: () => void): void {
  const message = search.message!;
  const passages = ways.map((hurdles) => throughHurdles(search.snapshot, at.place, message, hurdles));
  const hindered = passages.find(({ passes }) => passes !== 'yes');
  const because = `whether ${at.link.name} hands frames to the IP hooks was not seen`;
  follow(search, at, hindered ? { passes: 'unknown', because, message } : passages[0]!, onward);
}

function follow(search: Search, at: Station, passage: Passage, onward: () => void): void {
  if (passage.passes === 'no') {
    stopped(search, ruleInterruption(at, passage), onward);
    return;
  }
  const former = search.doubt;
  if (passage.passes === 'unknown') search.doubt ??= passage.because;
  withMessage(search, passage.message, onward);
  search.doubt = former;
}

export function withMessage(search: Search, message: NeighbourMessage | undefined, onward: () => void): void {
  const former = search.message;
  search.message = message;
  onward();
  search.message = former;
}

export function ruleInterruption(at: Station, passage: Extract<Passage, { passes: 'no' }>): Interruption {
  return { ...at, what: 'rule', reason: 'filtered', text: passage.because, steps: passage.steps };
}
