import type { Link } from '../parse/ip-link.ts';
import { afterBridgePrerouting } from './bridge-netfilter.ts';
import { bridgePortFor } from './bridge-port.ts';
import { type AtBridge, handedUp } from './bridge-up.ts';
import {
  type Cursor,
  familyAt,
  go,
  type Move,
  prefixed,
  type Stage,
  stop,
  unknownEnd,
  unseenEnd,
  type Walk,
} from './cursor.ts';
import { linkNamed } from './hook-input.ts';
import { isUp, linkDown } from './link-state.ts';
import { droppedBySize } from './mtu.ts';
import { makeStep, sourceOf } from './steps.ts';
import { readSysctl, switchedOn } from './sysctl.ts';
import type { Step, Truth } from './trace.ts';

/**
 * A frame is in a bridge (br_handle_frame_finish, br_dev_xmit): with br_netfilter the IP hooks see it first; then to the
 * host, or by the forwarding table to a port.
 */
export function bridge(walk: Walk, start: Cursor): Move {
  const cursor = start as AtBridge;
  const { snapshot } = walk.world;
  const links = snapshot.fact('links', cursor.place);
  if (links.state === 'unseen') return stop(unseenEnd(cursor, links));
  const master = linkNamed(snapshot, cursor.place, cursor.stage.bridge);
  if (!master) return stop(unknownEnd(cursor, `the bridge ${cursor.stage.bridge} was not seen`));
  if (!isUp(master) && !master.flags.includes('UP')) return linkDown(snapshot, cursor, master);
  if (master.bridge?.vlanFiltering) {
    return stop(unknownEnd(cursor, `${master.name} filters VLANs: not modelled`));
  }
  const { port } = cursor.stage;
  if (port === undefined || cursor.stage.hooked) return switched(walk, cursor, master);
  return entered(walk, cursor, master, port);
}

function entered(walk: Walk, cursor: AtBridge, master: Link, port: string): Move {
  const { snapshot } = walk.world;
  const link = linkNamed(snapshot, cursor.place, port);
  const state = link?.bridgePort?.state;
  if (link && state !== undefined && state !== 'forwarding') {
    return blocked(
      walk,
      cursor,
      { port, state, reason: 'port-state' },
      `the port ${port} of ${master.name} is ${state}`,
    );
  }
  const calls = callsNetfilter(walk, cursor, master);
  if (calls === 'unknown') {
    return stop(unknownEnd(cursor, `whether ${master.name} hands frames to the IP hooks was not seen`));
  }
  if (calls === 'no') return switched(walk, cursor, master);
  const after = { ...cursor.stage, hooked: true, before: cursor.packet.ip.destination };
  return go({
    ...cursor,
    path: { ...cursor.path, input: master.name, physicalInput: port },
    stage: { name: 'hook', hook: 'prerouting', next: 0, after },
  });
}

/** The module's setting or the bridge's own: either one (br_netfilter_hooks.c, br_nf_pre_routing). */
export function callsNetfilter(walk: Walk, cursor: Cursor, master: Link): Truth {
  const family = familyAt(cursor);
  const own = family === 4 ? master.bridge?.nfCallIptables : master.bridge?.nfCallIp6tables;
  if (own) return 'yes';
  const key = family === 4 ? 'net.bridge.bridge-nf-call-iptables' : 'net.bridge.bridge-nf-call-ip6tables';
  return switchedOn(readSysctl(walk.world.snapshot, cursor.place, key));
}

/** The forwarding decision, after the bridge's prerouting or without one. */
function switched(walk: Walk, cursor: AtBridge, master: Link): Move {
  const { packet, stage } = cursor;
  if (stage.hooked && stage.before !== packet.ip.destination) {
    return afterBridgePrerouting(walk, cursor, master, (mac) => toPort(walk, cursor, master, mac, 'bridged-dnat'));
  }
  const mac = packet.macs?.destination;
  if (mac === undefined) return stop(unknownEnd(cursor, 'the MAC that the frame is sent to is not known'));
  if (stage.port !== undefined && isLocal(walk, cursor, master, mac)) {
    return go(handedUp(cursor, master), [upStep(walk, cursor, master, mac)]);
  }
  return toPort(walk, cursor, master, mac, undefined);
}

function isLocal(walk: Walk, cursor: Cursor, master: Link, mac: string): boolean {
  if (mac === master.mac) return true;
  const fdb = walk.world.snapshot.fact('fdb', cursor.place);
  if (fdb.state === 'unseen') return false;
  return fdb.value.some((entry) => {
    return (
      entry.master === master.name && entry.mac === mac && entry.state === 'permanent' && entry.remote === undefined
    );
  });
}

function upStep(walk: Walk, cursor: AtBridge, master: Link, mac: string): Step {
  return makeStep({
    kind: 'bridge',
    at: `bridge ${master.name}`,
    source: sourceOf(walk.world.snapshot.fact('fdb', cursor.place)),
    values: { bridge: master.name, inputPort: cursor.stage.port, mac, by: 'local' },
    text: `${mac} is ${master.name} itself: up to the host`,
  });
}

function toPort(walk: Walk, cursor: AtBridge, master: Link, mac: string, by: 'bridged-dnat' | undefined): Move {
  const choice = bridgePortFor(walk, cursor, master, mac, cursor.stage.port);
  if (choice.state === 'unknown') return stop(unknownEnd(cursor, choice.because, choice.wants));
  if (choice.state === 'nobody') {
    const values = { mac, reason: 'no-port' } as const;
    return blocked(
      walk,
      cursor,
      values,
      `no port of ${master.name} leads to ${mac}: the flooded frame is taken by nobody`,
      'not-for-this-mac',
    );
  }
  const port = linkNamed(walk.world.snapshot, cursor.place, choice.port);
  if (port?.master !== master.name) {
    const because = `the FDB of ${master.name} names ${choice.port}, which the list of devices does not show as a port of it`;
    return stop(unknownEnd(cursor, because));
  }
  const refusal = portRefusal(walk, cursor, master, port, mac);
  if (refusal) return refusal;
  const step = makeStep({
    kind: 'bridge',
    at: `bridge ${master.name}`,
    source: sourceOf(walk.world.snapshot.fact('fdb', cursor.place), choice.text),
    values: { bridge: master.name, port: port.name, inputPort: cursor.stage.port, mac, by: by ?? choice.by },
    text: `${mac} is behind the port ${port.name}${choice.by === 'flood' ? ' (flooded)' : ''}`,
  });
  const framed = { ...cursor, packet: withMac(cursor, mac) };
  const out: Stage = { name: 'transmit', device: port.name };
  if (!cursor.stage.hooked) {
    return prefixed([step], droppedBySize(walk, framed, framed.place, port) ?? go({ ...framed, stage: out }));
  }
  const path = { ...cursor.path, output: master.name, physicalOutput: port.name };
  const postrouting: Stage = { name: 'hook', hook: 'postrouting', next: 0, after: out };
  const forwarded: Cursor = { ...framed, path, stage: { name: 'hook', hook: 'forward', next: 0, after: postrouting } };
  return prefixed([step], droppedBySize(walk, forwarded, forwarded.place, port) ?? go(forwarded));
}

function withMac(cursor: AtBridge, mac: string): Cursor['packet'] {
  const { macs } = cursor.packet;
  return macs ? { ...cursor.packet, macs: { ...macs, destination: mac } } : cursor.packet;
}

/** should_deliver of br_forward.c. */
function portRefusal(walk: Walk, cursor: AtBridge, master: Link, port: Link, mac: string): Move | undefined {
  const from = cursor.stage.port;
  const input = from === undefined ? undefined : linkNamed(walk.world.snapshot, cursor.place, from);
  const state = port.bridgePort?.state;
  if (from === port.name && port.bridgePort?.hairpin !== true) {
    const values = { port: port.name, mac, hairpin: false, reason: 'hairpin-off' } as const;
    return blocked(walk, cursor, values, `${port.name} may not send a frame back where it came from: hairpin is off`);
  }
  if (input?.bridgePort?.isolated && port.bridgePort?.isolated) {
    const values = { port: port.name, mac, isolated: true, reason: 'isolated' } as const;
    return blocked(walk, cursor, values, `${from} and ${port.name} are isolated ports of ${master.name}`);
  }
  if (!isUp(port)) return linkDown(walk.world.snapshot, cursor, port);
  if (state === undefined || state === 'forwarding') return undefined;
  return blocked(
    walk,
    cursor,
    { port: port.name, mac, state, reason: 'port-state' },
    `the port ${port.name} is ${state}`,
  );
}

function blocked(
  walk: Walk,
  cursor: AtBridge,
  values: Parameters<typeof makeStep>[0]['values'],
  text: string,
  end: 'bridge-blocked' | 'not-for-this-mac' = 'bridge-blocked',
): Move {
  const step = makeStep({
    kind: 'bridge',
    at: `bridge ${cursor.stage.bridge}`,
    matched: 'no',
    source: sourceOf(walk.world.snapshot.fact('links', cursor.place)),
    values: { bridge: cursor.stage.bridge, inputPort: cursor.stage.port, ...values },
    text,
  });
  return stop({ end, cursor, senderSees: 'nothing' }, [step]);
}
