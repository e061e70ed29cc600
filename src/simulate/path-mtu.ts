import type { HookInput } from './hook.ts';
import { linkNamed } from './hook-input.ts';
import { exceptionFor } from './learnt-mtu.ts';
import { lookupRoute, type RouteFound } from './routes.ts';
import { interfaceKey, readSysctl } from './sysctl.ts';

/**
 * The smaller MTU of the packet's route and of the route back to its source, in bytes; that of the way on alone where there
 * is no way back (tcpmss_reverse_mtu in xt_TCPMSS.c, get_tcpmss in nft_rt.c), each with what the
 * kernel has learnt of that path. Undefined where it is not known.
 */
export function pathMtu(input: HookInput): number | undefined {
  const there = input.route && routeMtu(input, input.route, input.packet.ip.destination);
  const back = backMtu(input);
  if (there === undefined || back === undefined) return undefined;
  return back === 'none' ? there : Math.min(there, back);
}

function backMtu(input: HookInput): number | 'none' | undefined {
  const key = { destination: input.packet.ip.source, tos: 0, mark: 0 };
  const lookup = lookupRoute(input.snapshot, input.place, key);
  if (lookup.state === 'unseen' || lookup.cut !== undefined) return undefined;
  const mtus = new Set(
    lookup.ways.map(({ found, doubt }) => {
      if (doubt !== undefined) return undefined;
      return REFUSING.has(found.type) ? ('none' as const) : routeMtu(input, found, input.packet.ip.source);
    }),
  );
  return mtus.size === 1 ? [...mtus][0] : undefined;
}

const REFUSING = new Set(['none', 'unreachable', 'prohibit', 'blackhole']);

/** The longest packet of IPv4 and of IPv6 without a jumbo payload (IP_MAX_MTU, IP6_MAX_MTU): of `lo`, IPv4 takes less. */
const LONGEST = { 4: 65_535, 6: 65_575 } as const;

/** The route's own, else its device's (ip_dst_mtu_maybe_forward, ip6_dst_mtu_maybe_forward). */
function routeMtu(input: HookInput, found: RouteFound, destination: string): number | undefined {
  const { snapshot, place, family } = input;
  const { route, hop, type } = found;
  const learnt = exceptionFor(snapshot, place, destination, found)?.mtu;
  if (learnt !== undefined) return learnt;
  if (route?.mtu !== undefined) return route.mtu;
  const device = type === 'local' ? 'lo' : hop?.device;
  if (device === undefined) return undefined;
  const own = family === 6 ? readSysctl(snapshot, place, interfaceKey(6, device, 'mtu')) : undefined;
  const mtu = own?.state === 'seen' ? own.value : linkNamed(snapshot, place, device)?.mtu;
  return mtu === undefined ? undefined : Math.min(mtu, LONGEST[family]);
}
