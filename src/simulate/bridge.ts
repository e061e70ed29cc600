import type { Link } from '../parse/ip-link.ts';
import { blocked } from './bridge-blocked.ts';
import { admitted, backedUp, mayLeave } from './bridge-fabric.ts';
import { withLearnt } from './bridge-learning.ts';
import { afterBridgePrerouting, callsNetfilter } from './bridge-netfilter.ts';
import { bridgePortFor, type InVlan, portOf } from './bridge-port.ts';
import { type AtBridge, handedUp } from './bridge-up.ts';
import { vlanOnEntry } from './bridge-vlans.ts';
import {
  type Cursor,
  go,
  type Move,
  prefixed,
  type Stage,
  stop,
  unknownEnd,
  unseenEnd,
  type Walk,
  type Way,
} from './cursor.ts';
import { frameOf, isGroup, withTag } from './frame.ts';
import { atFrameHook, BRIDGE_NETFILTER, hasTies } from './frame-hook.ts';
import type { HookLayer, HookName } from './hook.ts';
import { linkNamed } from './hook-input.ts';
import { isUp, linkDown } from './link-state.ts';
import { makeStep, sourceOf } from './steps.ts';
import { UNDECIDED } from './truth.ts';

/**
 * A frame is in a bridge (br_handle_frame, br_dev_xmit): with br_netfilter the IP hooks see it first; then to the host, or
 * by the forwarding table to a port.
 */
export function bridge(walk: Walk, start: Cursor): Move {
  const cursor = start as AtBridge;
  const { snapshot } = walk.world;
  const links = snapshot.fact('links', cursor.place);
  if (links.state === 'unseen') return stop(unseenEnd(cursor, links));
  const master = linkNamed(snapshot, cursor.place, cursor.stage.bridge);
  if (!master) return stop(unknownEnd(cursor, `the bridge ${cursor.stage.bridge} was not seen`));
  if (!isUp(master) && !master.flags.includes('UP')) return linkDown(snapshot, cursor, master);
  const { port, hooked } = cursor.stage;
  if (port === undefined) return sentByHost(walk, cursor, master);
  const link = linkNamed(snapshot, cursor.place, port);
  if (!link) return stop(unknownEnd(cursor, `${port} is not among the devices of this namespace`));
  return hooked ? afterHooks(walk, cursor, master, link) : entered(walk, cursor, master, link);
}

/** A frame comes in by a port: the port's state, then with br_netfilter the prerouting hook. */
function entered(walk: Walk, cursor: AtBridge, master: Link, port: Link): Move {
  const state = port.bridgePort?.state;
  if (state !== undefined && state !== 'forwarding') {
    const text = `the port ${port.name} of ${master.name} is ${state}`;
    return blocked(walk, cursor, { port: port.name, state, reason: 'port-state' }, text);
  }
  const calls = callsNetfilter(walk, cursor, master);
  if (calls === 'unknown') {
    return stop(unknownEnd(cursor, `whether ${master.name} hands frames to the IP hooks was not seen`));
  }
  const before = beforeNetfilter(walk, cursor, master, calls === 'yes');
  if (before) return before;
  if (calls === 'no') return decided(walk, cursor, master, port);
  const after: Stage = { ...cursor.stage, hooked: true, before: cursor.packet.ip.destination };
  return go({
    ...cursor,
    path: { ...cursor.path, input: master.name, physicalInput: port.name },
    stage: { name: 'hook', hook: 'prerouting', next: 0, after },
  });
}

/** The bridge's own chains before br_netfilter, or all of them where that does not take the frame; undefined: passed already. */
function beforeNetfilter(walk: Walk, cursor: AtBridge, master: Link, takes: boolean): Move | undefined {
  const { stage } = cursor;
  if (stage.passed !== undefined) return undefined;
  const { snapshot } = walk.world;
  const { edge } = stage;
  if (takes && edge === undefined && hasTies(snapshot, cursor.place)) {
    const ways = ([0, 1] as const).map((one): Way => {
      return { chance: UNDECIDED, steps: [], to: { ...cursor, stage: { ...stage, edge: one } } };
    });
    return { fork: 'undecided', ways };
  }
  const layer = { ...layerOf(cursor, master), ...(takes ? { below: BRIDGE_NETFILTER.prerouting + (edge ?? 0) } : {}) };
  const after: Stage = { ...stage, passed: 'first' };
  const at = atFrameHook(snapshot, cursor, 'prerouting', layer, after);
  return at.stage === after ? undefined : go(at);
}

function layerOf(cursor: AtBridge, master: Link) {
  const { port } = cursor.stage;
  return { kind: 'bridge', bridge: master.name, ...(port === undefined ? {} : { input: port }) } as const;
}

function afterHooks(walk: Walk, cursor: AtBridge, master: Link, port: Link): Move {
  if (cursor.stage.passed !== 'all') {
    const from = BRIDGE_NETFILTER.prerouting + (cursor.stage.edge ?? 0);
    const after: Stage = { ...cursor.stage, passed: 'all' };
    const at = atFrameHook(walk.world.snapshot, cursor, 'prerouting', { ...layerOf(cursor, master), from }, after);
    if (at.stage !== after) return go(at);
  }
  if (cursor.stage.before === cursor.packet.ip.destination) return decided(walk, cursor, master, port);
  return afterBridgePrerouting(walk, cursor, master, (mac) => {
    const { macs } = cursor.packet;
    const packet = macs ? { ...cursor.packet, macs: { ...macs, destination: mac } } : cursor.packet;
    return decided(walk, { ...cursor, packet }, master, port, 'bridged-dnat');
  });
}

/** The forwarding decision for a frame that came by a port (br_handle_frame_finish). */
function decided(walk: Walk, cursor: AtBridge, master: Link, port: Link, by?: 'bridged-dnat'): Move {
  const frame = frameOf(cursor.packet);
  if (!frame) return stop(unknownEnd(cursor, 'the MAC that the frame is sent to is not known'));
  const entry = admitted(walk.world.snapshot, cursor.place, master, port, frame);
  if (entry.state === 'unknown') return stop(unknownEnd(cursor, entry.because, entry.wants));
  if (entry.state === 'refused') {
    return blocked(walk, cursor, { port: port.name, reason: entry.reason }, entry.text);
  }
  const inside = { ...withLearnt(cursor, master, port, entry.vlan), stage: cursor.stage };
  return switched(walk, { ...inside, packet: withTag(inside.packet, entry.tag) }, master, port, entry, by);
}

/** The host itself puts a frame into the bridge (br_dev_xmit). */
function sentByHost(walk: Walk, cursor: AtBridge, master: Link): Move {
  const frame = frameOf(cursor.packet);
  if (!frame) return stop(unknownEnd(cursor, 'the MAC that the frame is sent to is not known'));
  const entry = vlanOnEntry(walk.world.snapshot, cursor.place, master, master.name, frame);
  if (entry.state === 'unknown') return stop(unknownEnd(cursor, entry.because, entry.wants));
  if (entry.state === 'refused') return blocked(walk, cursor, { reason: 'vlan' }, entry.text);
  return switched(walk, { ...cursor, packet: withTag(cursor.packet, entry.tag) }, master, undefined, entry);
}

function switched(
  walk: Walk,
  cursor: AtBridge,
  master: Link,
  from: Link | undefined,
  entry: InVlan,
  by?: 'bridged-dnat',
): Move {
  const mac = cursor.packet.macs!.destination;
  if (isGroup(mac)) {
    return stop(unknownEnd(cursor, `a frame for the group ${mac} goes to every port of ${master.name}: not modelled`));
  }
  const choice = bridgePortFor(walk, cursor, master, mac, from, entry);
  switch (choice.state) {
    case 'unknown':
      return stop(unknownEnd(cursor, choice.because, choice.wants));
    case 'up':
      if (from) return handedUp(walk, cursor, master, from, entry);
      return blocked(walk, cursor, { mac, reason: 'no-port' }, `${mac} is ${master.name} itself, which sends it`);
    case 'refused':
      return refused(walk, cursor, mac, choice.port, choice.reason, choice.text);
    case 'nobody': {
      const text = `no port of ${master.name} leads to ${mac}: the flooded frame is taken by nobody`;
      return blocked(walk, cursor, { mac, reason: 'no-port' }, text, 'not-for-this-mac');
    }
    case 'port':
      return toPort(walk, cursor, master, from, entry, { ...choice, by: by ?? choice.by });
  }
}

interface Chosen {
  readonly port: string;
  readonly by: string;
  readonly text?: string;
}

function toPort(
  walk: Walk,
  cursor: AtBridge,
  master: Link,
  from: Link | undefined,
  entry: InVlan,
  chosen: Chosen,
): Move {
  const { snapshot } = walk.world;
  const mac = cursor.packet.macs!.destination;
  const named = portOf(snapshot, cursor, master, chosen.port);
  if (!named) {
    const because = `the FDB of ${master.name} names ${chosen.port}, which the list of devices does not show as a port of it`;
    return stop(unknownEnd(cursor, because));
  }
  const port = backedUp(snapshot, cursor.place, named);
  const exit = mayLeave(snapshot, cursor.place, master, port, from, entry);
  if (exit.state === 'unknown') return stop(unknownEnd(cursor, exit.because, exit.wants));
  if (exit.state === 'refused') return refused(walk, cursor, mac, port.name, exit.reason, exit.text);
  const step = makeStep({
    kind: 'bridge',
    at: `bridge ${master.name}`,
    source: sourceOf(snapshot.fact('fdb', cursor.place), chosen.text),
    values: {
      bridge: master.name,
      port: port.name,
      inputPort: cursor.stage.port,
      mac,
      by: chosen.by,
      vlan: entry.vlan === 0 ? undefined : entry.vlan,
    },
    text: `${mac} is behind the port ${port.name}${chosen.by === 'flood' ? ' (flooded)' : ''}`,
  });
  const out = { ...cursor, packet: withTag(cursor.packet, exit.tag) };
  return prefixed([step], go(from ? forwarded(walk, out, master, port) : sentOut(walk, out, master, port)));
}

/** Through the IP hooks again where br_netfilter has taken it in; a tagged frame is no IP packet to it unless told so. */
function forwarded(walk: Walk, cursor: AtBridge, master: Link, port: Link): Cursor {
  const { snapshot } = walk.world;
  const layer = { ...layerOf(cursor, master), output: port.name };
  const leaving = { kind: 'bridge', bridge: master.name, output: port.name } as const;
  const through = (hook: HookName, at: HookLayer, after: Stage): Stage =>
    atFrameHook(snapshot, cursor, hook, at, after).stage;
  if (!cursor.stage.hooked || callsNetfilter(walk, cursor, master) !== 'yes') {
    const out: Stage = { name: 'transmit', device: port.name, bridged: 'plain' };
    return { ...cursor, stage: through('forward', layer, through('postrouting', leaving, out)) };
  }
  // br_netfilter is the last at postrouting, and stands among the bridge's own chains at forward.
  const path = { ...cursor.path, output: master.name, physicalOutput: port.name };
  const out: Stage = { name: 'transmit', device: port.name, bridged: 'hooked' };
  const last = through('postrouting', leaving, { name: 'hook', hook: 'postrouting', next: 0, after: out });
  const rest = through('forward', { ...layer, from: BRIDGE_NETFILTER.forward }, last);
  const stage: Stage = { name: 'hook', hook: 'forward', next: 0, after: rest };
  return { ...cursor, path, stage: through('forward', { ...layer, below: BRIDGE_NETFILTER.forward }, stage) };
}

/** The host's own frame, through the bridge's output and postrouting hooks. */
function sentOut(walk: Walk, cursor: AtBridge, master: Link, port: Link): Cursor {
  const { snapshot } = walk.world;
  const layer = { kind: 'bridge', bridge: master.name, output: port.name } as const;
  const out: Stage = { name: 'transmit', device: port.name, bridged: 'plain' };
  const last = atFrameHook(snapshot, cursor, 'postrouting', layer, out).stage;
  return atFrameHook(snapshot, cursor, 'output', layer, last);
}

function refused(walk: Walk, cursor: AtBridge, mac: string, port: string, reason: string, text: string): Move {
  const { snapshot } = walk.world;
  const link = linkNamed(snapshot, cursor.place, port);
  if (reason === 'down' && link) return linkDown(snapshot, cursor, link);
  const values = {
    port,
    mac,
    state: reason === 'port-state' ? link?.bridgePort?.state : undefined,
    hairpin: reason === 'hairpin-off' ? false : undefined,
    isolated: reason === 'isolated' ? true : undefined,
    reason,
  };
  return blocked(walk, cursor, values, text);
}
