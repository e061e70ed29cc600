import type { Family } from '../../../src/net/address.ts';
import type { CasePacket } from '../case.ts';
import type { Host, Network } from '../network.ts';
import { gatewayOf } from '../topology.ts';

/** A namespace on a packet's way, or on its answer's, and how it gets on from there. */
export interface Aim {
  readonly packet: CasePacket;
  readonly family: Family;
  readonly ns: string;
  /** By which it comes in; absent where it begins here. */
  readonly input?: string;
  readonly output: string;
  /** What is looked up here, and where it comes from. */
  readonly destination: string;
  readonly source: string;
  readonly isReply: boolean;
  /** `via A dev D`, as the way leads on anyway. */
  readonly onward: string;
  /** The same back to where it comes from; where it begins, to itself. */
  readonly backward: string;
  /** The MAC at the other end. */
  readonly mac: string;
}

/** Some place where a packet is routed onward. `forwarded`: where it came in before. */
export function aimAt(
  network: Network,
  options: { readonly forwarded?: boolean; readonly fits?: ((aim: Aim) => boolean) | undefined } = {},
): Aim | undefined {
  for (let tries = 0; tries < TRIES; tries++) {
    const aim = aimOnce(network, options);
    if (aim && (options.fits?.(aim) ?? true)) return aim;
  }
  return undefined;
}

const TRIES = 8;

function aimOnce(network: Network, options: { readonly forwarded?: boolean }): Aim | undefined {
  const { draw } = network;
  const packet = network.aimable(network.packets);
  const to = network.hostAt(packet.destination);
  const from = network.host(packet.ns);
  if (!to || to === from) return undefined;
  const isReply = draw.chance(0.25);
  // Between pods of one bridge nothing is routed but at their ends.
  const isSwitched = network.isSwitched(from, to);
  const forward = network.way(from, to);
  const way = isReply ? forward.toReversed() : forward;
  const first = options.forwarded ? 1 : 0;
  if (way.length - 2 < first) return undefined;
  const at = isSwitched ? 0 : draw.int(first, way.length - 2);
  if (at < first) return undefined;
  const [before, here, next] = [way[at - 1], way[at]!, way[at + 1]!];
  const device = network.deviceBetween(here, next);
  if (!device) return undefined;
  // A node is the gateway of others: what spoils the way to it keeps their routes from being made.
  const target = isReply ? from : to;
  if (!here.pod && !target.pod) return undefined;
  const { family } = packet;
  const input = before && network.deviceBetween(here, before);
  const output = device.bridge ?? device.name;
  const gateway = isSwitched ? undefined : gatewayTo(here, next, family);
  const end = isSwitched ? { ns: target.ns, name: 'eth0' } : device.peer;
  return {
    packet,
    family,
    ns: here.ns,
    ...(input ? { input: input.bridge ?? input.name } : {}),
    output,
    destination: target.address[family],
    source: (isReply ? to : from).address[family],
    isReply,
    onward: `${gateway === undefined ? '' : `via ${gateway} `}dev ${output}`,
    backward: backwardOf(network, here, before, family),
    mac: macOf(network, end),
  };
}

function backwardOf(network: Network, here: Host, before: Host | undefined, family: Family): string {
  const device = before && network.deviceBetween(here, before);
  if (!device) return 'dev lo';
  const gateway = gatewayTo(here, before, family);
  return `${gateway === undefined ? '' : `via ${gateway} `}dev ${device.bridge ?? device.name}`;
}

function gatewayTo(here: Host, next: Host, family: Family): string | undefined {
  if (here.pod) return gatewayOf(here.node === 'a' ? 1 : 2, family);
  return next.pod ? undefined : next.address[family];
}

function macOf(network: Network, end: { readonly ns: string; readonly name: string }): string {
  const device = network.devices.find((one) => one.ns === end.ns && one.name === end.name);
  if (device && device.bridge === undefined) return device.mac;
  return end.ns === 'a' ? '02:00:00:01:00:01' : '02:00:00:02:00:01';
}

export function hostLength(family: Family): 32 | 128 {
  return family === 4 ? 32 : 128;
}
