import type { Link } from '../parse/ip-link.ts';
import { admitted, backedUp, floods, lookupFdb, mayLeave, portsOf } from './bridge-fabric.ts';
import { proxyAnswer } from './bridge-proxy.ts';
import { type VlanEntry, vlanOnEntry, vlanOnExit } from './bridge-vlans.ts';
import type { Station } from './cables.ts';
import { type Frame, isGroup } from './frame.ts';
import { linkNamed } from './hook-input.ts';
import { throughBridgeInput, throughForward, throughPrerouting } from './segment-rules.ts';
import { type Interruption, learntKey, notUp, type Search, stopped } from './segment-search.ts';

/* A bridge on the way of a frame whose reach is sought. */

export function sentByBridge(search: Search, station: Station, frame: Frame): void {
  const { place, link: master } = station;
  if (!master.flags.includes('UP') && !search.forced) return;
  const entry = vlanOnEntry(search.snapshot, place, master, master.name, frame);
  if (entry.state === 'in') {
    switched(search, station, undefined, frame, entry);
    return;
  }
  if (entry.state === 'unknown') search.gaps.push({ because: entry.because, wants: entry.wants });
}

export function intoBridge(search: Search, bridge: Station, port: Link, frame: Frame): void {
  const { place, link: master } = bridge;
  const admit = (): void => {
    const entry = admitted(search.snapshot, place, master, port, frame);
    if (entry.state === 'in') {
      learnAndSwitch(search, bridge, port, frame, entry);
      return;
    }
    if (entry.state === 'unknown') {
      search.gaps.push({ because: entry.because, wants: entry.wants });
      return;
    }
    stopped(search, atBridge(bridge, port, entry), () =>
      switched(search, bridge, port, frame, { state: 'in', vlan: 0 }),
    );
  };
  const onward = (): void => throughPrerouting(search, { bridge, from: port, frame }, admit);
  if (master.flags.includes('UP')) {
    onward();
    return;
  }
  stopped(search, notUp(bridge), onward);
}

function atBridge(bridge: Station, port: Link, { reason, text }: { reason: string; text: string }): Interruption {
  if (reason === 'down') return notUp({ ...bridge, link: port });
  return { place: bridge.place, link: port, what: 'bridge', reason, text, bridge: bridge.link.name };
}

function learnAndSwitch(search: Search, bridge: Station, port: Link, frame: Frame, entry: InVlan): void {
  const { place, link: master } = bridge;
  if (frame.source !== undefined && port.bridgePort?.learning !== false) {
    search.learnt.set(learntKey(place, master.name, entry.vlan, frame.source), port.name);
  }
  switched(search, bridge, port, frame, entry);
}

type InVlan = Extract<VlanEntry, { state: 'in' }>;

function switched(search: Search, bridge: Station, from: Link | undefined, frame: Frame, entry: InVlan): void {
  const { snapshot } = search;
  const { place, link: master } = bridge;
  const proxy = search.question && proxyAnswer(snapshot, bridge, from, search.question, entry.vlan);
  if (proxy?.mac !== undefined) search.proxies.push({ mac: proxy.mac, station: bridge });
  if (from && isGroup(frame.destination)) handUp(search, bridge, from, frame, entry);
  const ports = isGroup(frame.destination) ? undefined : knownPort(search, bridge, from, frame, entry);
  if (ports === 'up') return;
  for (const target of ports ?? portsOf(snapshot, place, master)) {
    const isSilenced = proxy?.suppressed === true && target.bridgePort?.neighbourSuppression === true;
    const isSent = ports !== undefined || (!isSilenced && floods(target, frame.destination, from === undefined));
    const onward = (): void => outOf(search, bridge, target, from, frame, entry);
    if (isSent) onward();
    else stopped(search, atBridge(bridge, target, notFlooded(target)), onward);
  }
}

function notFlooded(port: Link): { readonly reason: string; readonly text: string } {
  return { reason: 'flood-off', text: `${port.name} gets no flooded frames of this kind` };
}

function outOf(search: Search, bridge: Station, to: Link, from: Link | undefined, frame: Frame, entry: InVlan): void {
  const { snapshot } = search;
  const { place, link: master } = bridge;
  const port = backedUp(snapshot, place, to);
  const exit = mayLeave(snapshot, place, master, port, from, entry);
  if (exit.state === 'in') {
    const out = (): void => search.onward.send(search, { place, link: port }, withoutTag(frame, exit));
    throughForward(search, { bridge, from, frame }, port, out);
    return;
  }
  if (exit.state === 'unknown') {
    search.gaps.push({ because: exit.because, wants: exit.wants });
    return;
  }
  // Back where it came from it would not go in any case.
  if (exit.reason === 'hairpin-off') return;
  stopped(search, atBridge(bridge, port, exit), () => search.onward.put(search, { place, link: port }, frame));
}

/** Undefined: flooded. */
function knownPort(
  search: Search,
  bridge: Station,
  from: Link | undefined,
  frame: Frame,
  entry: InVlan,
): readonly Link[] | 'up' | undefined {
  const { snapshot, learnt } = search;
  const { place, link: master } = bridge;
  const found = lookupFdb(snapshot, place, master, frame.destination, entry.vlan);
  if (found.to === 'up') {
    // What the host itself sends to a port's local MAC goes out by that port (br_dev_xmit).
    const port = from ? undefined : linkNamed(snapshot, place, found.port);
    if (port) return [port];
    if (from) handUp(search, bridge, from, frame, entry);
    return 'up';
  }
  const isFixed = found.to === 'port' && found.isSticky === true;
  const known = isFixed ? undefined : learnt.get(learntKey(place, master.name, entry.vlan, frame.destination));
  const name = known ?? (found.to === 'port' ? found.port : undefined);
  const port = linkNamed(snapshot, place, name);
  return name === undefined ? undefined : port ? [port] : [];
}

/** To the bridge's own device; the MAC of another port is local, and yet none that the host takes (br_pass_frame_up). */
function handUp(search: Search, bridge: Station, from: Link, frame: Frame, entry: InVlan): void {
  const { place, link: master } = bridge;
  const exit = vlanOnExit(search.snapshot, place, master, master.name, entry);
  if (exit.state === 'unknown') {
    search.gaps.push({ because: exit.because, wants: exit.wants });
    return;
  }
  if (exit.state === 'refused') return;
  const up = withoutTag(frame, exit);
  const taken = up.destination === from.mac && master.mac ? { ...up, destination: master.mac } : up;
  throughBridgeInput(search, { bridge, from, frame }, () => search.onward.receive(search, bridge, taken));
}

function withoutTag({ tag: _tag, ...bare }: Frame, { tag }: InVlan): Frame {
  return { ...bare, ...(tag && { tag }) };
}
