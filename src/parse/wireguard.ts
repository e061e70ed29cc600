import { type Address, parseAddress } from '../net/address.ts';
import { type Prefix, parsePrefix } from '../net/prefix.ts';
import type { Parsed } from './parsed.ts';
import { parseLines } from './text-lines.ts';

/*
 * Format: `wg show all dump`, tab-separated: of each device its name, private key, public key, port and mark; of each peer
 * the device, public key, preshared key, endpoint, allowed addresses, last handshake, bytes received and sent, keepalive.
 * Source of truth: wg(8), wireguard-tools' src/show.c (dump_print).
 * Versions seen: wireguard-tools 1.0 by its source. The keys that are secret are not read; podtriage's node side leaves
 * them out.
 */

export interface WireguardDevice {
  readonly device: string;
  readonly publicKey: string;
  readonly port: number;
  /** The mark of the packets that it sends; 0 where it is off. */
  readonly mark: number;
  readonly peers: readonly WireguardPeer[];
}

export interface WireguardPeer {
  readonly publicKey: string;
  readonly endpoint?: { readonly address: Address; readonly port: number };
  readonly allowed: readonly Prefix[];
  /** Seconds since the epoch; 0: never. */
  readonly handshakeAt: number;
  readonly text: string;
}

type Line =
  | { readonly kind: 'device'; readonly value: WireguardDevice }
  | { readonly kind: 'peer'; readonly device: string; readonly value: WireguardPeer };

export function parseWireguard(text: string): Parsed<readonly WireguardDevice[]> {
  const lines = parseLines(text, parseLine);
  const devices = new Map<string, WireguardDevice>();
  for (const line of lines.value) {
    if (line.kind === 'device') devices.set(line.value.device, line.value);
    else {
      const device = devices.get(line.device);
      if (device) devices.set(line.device, { ...device, peers: [...device.peers, line.value] });
    }
  }
  return { value: [...devices.values()], unparsed: lines.unparsed };
}

function parseLine(line: string): Line | undefined {
  const fields = line.split('\t');
  if (fields.length === 5) return deviceOf(fields);
  return fields.length === 9 ? peerOf(fields) : undefined;
}

function deviceOf([device, , publicKey, port, mark]: readonly string[]): Line | undefined {
  const [portNumber, markNumber] = [Number(port), mark === 'off' ? 0 : Number(mark)];
  if (!device || !publicKey || !Number.isInteger(portNumber) || !Number.isInteger(markNumber)) return undefined;
  return { kind: 'device', value: { device, publicKey, port: portNumber, mark: markNumber, peers: [] } };
}

function peerOf([device, publicKey, , endpoint, allowed, handshake]: readonly string[]): Line | undefined {
  const ends = endpointOf(endpoint!);
  const prefixes = allowed === '(none)' ? [] : allowed!.split(',').map((one) => parsePrefix(one));
  if (!device || !publicKey || ends === undefined || prefixes.some((one) => one === undefined)) return undefined;
  const value: WireguardPeer = {
    publicKey,
    ...(ends !== 'none' && { endpoint: ends }),
    allowed: prefixes as Prefix[],
    handshakeAt: Number(handshake) || 0,
    text: `peer ${publicKey} endpoint ${endpoint} allowed-ips ${allowed}`,
  };
  return { kind: 'peer', device, value };
}

/** `192.0.2.1:51820`, `[2001:db8::1]:51820` or `(none)`. */
function endpointOf(text: string): WireguardPeer['endpoint'] | 'none' | undefined {
  if (text === '(none)') return 'none';
  const match = /^(?:\[(?<six>[^\]%]+)(?:%[^\]]*)?\]|(?<four>[^:]+)):(?<port>\d+)$/.exec(text)?.groups;
  const address = parseAddress(match?.six ?? match?.four ?? '');
  return address === undefined ? undefined : { address, port: Number(match!.port) };
}

/** The dump without private and preshared keys, which must not leave the node nor stand in a bundle. */
export function withoutWireguardKeys(text: string, mask: string): string {
  return text
    .split('\n')
    .map((line) => {
      const fields = line.split('\t');
      const isDevice = fields.length === 5 && /^\d+$/.test(fields[3]!) && /^(?:off|[0-9a-fx]+)$/.test(fields[4]!);
      // A line of another form may be a cut one: it can hold a key and tells nothing.
      if (!isDevice && fields.length !== 9) return line.trim() === '' ? line : mask;
      const secret = isDevice ? 1 : 2;
      if (fields[secret] !== '(none)') fields[secret] = mask;
      return fields.join('\t');
    })
    .join('\n');
}
