import { type Address, parseAddress } from '../net/address.ts';
import type { Corefile } from '../parse/corefile.ts';

/** Where CoreDNS asks on. `file`: the nameservers of that file, as CoreDNS's own container sees it. */
export type ForwardTarget =
  | { readonly kind: 'server'; readonly address: Address; readonly port: number }
  | { readonly kind: 'file' }
  /** Asked over TLS, or in a way that is not known: a plain question tells nothing of it. */
  | { readonly kind: 'other'; readonly text: string };

const DNS_PORT = 53;

/**
 * The servers that this Corefile sends a name on to: of the server block with the longest zone that the name is in, the forward
 * plug-in with the longest zone (coredns.io/manual/toc, "Server Blocks"; coredns.io/plugins/forward). Empty where CoreDNS answers by itself.
 */
export function forwardTargets({ servers }: Corefile, name: string): readonly ForwardTarget[] {
  const zoned = servers.flatMap((server) => server.zones.map((zone) => ({ server, zone: bareZone(zone) })));
  const block = longest(zoned, ({ zone }) => zone, name)?.server;
  const plugins = block?.plugins ?? [];
  // What the kubernetes plug-in has the say over is not asked on, unless it falls through (coredns.io/plugins/kubernetes).
  const isOwn = plugins.some(
    ({ name: plugin, args, body }) =>
      plugin === 'kubernetes' &&
      longest(args, bareZone, name) !== undefined &&
      !body.some(
        ([word, ...zones]) => word === 'fallthrough' && (zones.length === 0 || longest(zones, bareZone, name)),
      ),
  );
  if (isOwn) return [];
  const forwards = plugins.filter((plugin) => plugin.name === 'forward');
  const forward = longest(forwards, ({ args }) => bareZone(args[0] ?? '.'), name);
  return (forward?.args.slice(1) ?? []).map(targetOf);
}

function longest<T>(items: readonly T[], zoneOf: (item: T) => string, name: string): T | undefined {
  const bare = name.toLowerCase().replace(/\.$/, '');
  return items
    .filter((item) => {
      const zone = zoneOf(item);
      return zone === '' || bare === zone || bare.endsWith(`.${zone}`);
    })
    .toSorted((a, b) => zoneOf(b).length - zoneOf(a).length)[0];
}

/** `dns://cluster.local.:53` → `cluster.local`; the root is ''. */
function bareZone(zone: string): string {
  return zone
    .toLowerCase()
    .replace(/^[a-z+]+:\/\//, '')
    .replace(/:\d+$/, '')
    .replace(/\.$/, '');
}

function targetOf(text: string): ForwardTarget {
  if (text.startsWith('/')) return { kind: 'file' };
  const bare = text.replace(/^dns:\/\//, '');
  const address = parseAddress(bare);
  if (address !== undefined) return { kind: 'server', address, port: DNS_PORT };
  const split = /^\[?(?<host>.*?)\]?:(?<port>\d{1,5})$/.exec(bare);
  const host = parseAddress(split?.groups?.host ?? '');
  return host === undefined
    ? { kind: 'other', text }
    : { kind: 'server', address: host, port: Number(split!.groups!.port) };
}
