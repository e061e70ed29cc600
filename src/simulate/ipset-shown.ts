import { addressToBits, parseAddress } from '../net/address.ts';
import type { Ipset } from '../parse/ipset.ts';
import { chosenFromOf } from './ephemeral-port.ts';
import type { HookInput } from './hook.ts';
import type { IpsetDimension, IpsetPart } from './ipset-entry.ts';
import { PROTOCOLS } from './nftables-symbols.ts';

export type IpsetDirection = 'src' | 'dst';

/** What the packet shows in one dimension. 'absent': it has no such thing, so it is in no set that asks for it. */
export type IpsetShown = (IpsetPart & { readonly isChosen?: true }) | 'absent' | 'unknown';

/** What a packet shows to a set, with the set's `netmask`, `bitmask` and `markmask` applied as they were to its entries. */
export function shownTo(
  set: Ipset,
  dimensions: readonly IpsetDimension[],
  directions: readonly IpsetDirection[],
  input: HookInput,
): IpsetShown[] {
  return dimensions.map((dimension, index) => masked(shownIn(dimension, directions[index]!, input), set));
}

function shownIn(dimension: IpsetDimension, direction: IpsetDirection, input: HookInput): IpsetShown {
  const { packet, meta } = input;
  switch (dimension) {
    case 'ip':
    case 'net': {
      const bits = addressToBits(direction === 'src' ? packet.ip.source : packet.ip.destination);
      return { kind: 'addresses', from: bits, to: bits, length: 0 };
    }
    case 'port':
      return shownPort(direction, input);
    case 'iface': {
      const name = direction === 'src' ? input.input : input.output;
      return name === undefined ? 'absent' : { kind: 'device', name, bridgePort: false, prefix: false };
    }
    case 'mark':
      return { kind: 'mark', value: meta.mark };
    case 'mac':
      return shownMac(direction, input);
  }
}

/** Ports of what has ports, type and code of ICMP; any other protocol has port 0 (ip_set_get_ip_port in ip_set_getport.c). */
function shownPort(direction: IpsetDirection, { packet }: HookInput): IpsetShown {
  const { l4 } = packet;
  const protocol = typeof l4.protocol === 'number' ? l4.protocol : PROTOCOLS[l4.protocol]!;
  if (!('sourcePort' in l4) && !('type' in l4)) return { kind: 'ports', protocol, from: 0, to: 0 };
  if ((packet.ip.fragmentOffset ?? 0) > 0) return 'absent';
  if ('type' in l4) return { kind: 'ports', protocol, from: l4.type * 256 + l4.code, to: l4.type * 256 + l4.code };
  const port = direction === 'src' ? l4.sourcePort : l4.destinationPort;
  return port === 'ephemeral'
    ? { kind: 'ports', protocol, ...chosenFromOf(l4), isChosen: true }
    : { kind: 'ports', protocol, from: port, to: port };
}

/** A packet that came by a device has the frame's MACs until it leaves; what is sent here, or came by `lo`, has none. */
function shownMac(direction: IpsetDirection, { input, socket, packet, hook }: HookInput): IpsetShown {
  if (input === 'lo' || socket !== undefined || hook === 'output') return 'absent';
  const mac = direction === 'src' ? packet.macs?.source : packet.macs?.destination;
  return mac === undefined ? 'unknown' : { kind: 'mac', mac: mac.toLowerCase() };
}

function masked(shown: IpsetShown, set: Ipset): IpsetShown {
  if (shown === 'absent' || shown === 'unknown') return shown;
  if (shown.kind === 'mark') {
    const mask = optionOf(set, 'markmask');
    return mask === undefined ? shown : { ...shown, value: (shown.value & Number(mask)) >>> 0 };
  }
  if (shown.kind !== 'addresses') return shown;
  const mask = addressMask(set);
  if (mask === undefined) return shown;
  return mask === 'unknown' ? 'unknown' : { ...shown, from: shown.from & mask, to: shown.to & mask };
}

function addressMask(set: Ipset): bigint | 'unknown' | undefined {
  const width = set.family === 4 ? 32n : 128n;
  const length = optionOf(set, 'netmask');
  if (length !== undefined) {
    if (!/^\d+$/.test(length) || BigInt(length) > width) return 'unknown';
    return ((1n << BigInt(length)) - 1n) << (width - BigInt(length));
  }
  const bits = optionOf(set, 'bitmask');
  if (bits === undefined) return undefined;
  const address = parseAddress(bits);
  return address === undefined ? 'unknown' : addressToBits(address);
}

function optionOf(set: Ipset, name: string): string | undefined {
  const index = set.options.indexOf(name);
  return index < 0 ? undefined : set.options[index + 1];
}
