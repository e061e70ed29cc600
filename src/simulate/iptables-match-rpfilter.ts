import type { IptablesMatch } from '../parse/iptables-save.ts';
import type { HookInput } from './hook.ts';
import { linkNamed } from './hook-input.ts';
import type { Evaluator } from './iptables-match-types.ts';
import { protocolNumber } from './iptables-protocols.ts';
import { isDiscarding } from './refusal.ts';
import { isMulticast, lookupRoute, type RouteKey } from './routes.ts';
import type { Truth } from './trace.ts';
import { not, truth } from './truth.ts';

/** Of the options that are flags: --loose, --validmark, --accept-local, --invert. */
type Flags = ReadonlySet<string>;

/**
 * Whether the way back to the source leaves by the input device, or (loose) exists at all; `--invert` turns it
 * (net/ipv4/netfilter/ipt_rpfilter.c, net/ipv6/netfilter/ip6t_rpfilter.c).
 */
export function compileRpfilter(match: IptablesMatch): Evaluator | undefined {
  const flags: Flags = new Set(match.options.map((option) => option.name));
  if ([...flags].some((name) => !['loose', 'validmark', 'accept-local', 'invert'].includes(name))) return undefined;
  return (input) => {
    const passes = rpfilterPasses(input, flags);
    return flags.has('invert') ? not(passes) : passes;
  };
}

function rpfilterPasses(input: HookInput, flags: Flags): Truth {
  const { packet, input: device } = input;
  if (device === undefined || isLoopback(input, device) || isExempt(input)) return 'yes';
  const { source, destination } = packet.ip;
  const protocol = protocolNumber(packet.l4.protocol);
  const strict6 = input.family === 6 && !flags.has('loose');
  const key: RouteKey = {
    source: isMulticast(destination) || destination === '255.255.255.255' ? '0.0.0.0' : destination,
    destination: source,
    tos: packet.ip.tos,
    mark: flags.has('validmark') ? input.meta.mark : 0,
    // As if this host itself sent it: flowi_iif is the loopback device's.
    input: 'lo',
    user: 0,
    isPlain: true,
    // IPv4 leaves the protocol out, so that no rule that names one matches.
    ...(input.family === 6 && protocol !== undefined ? { l4: { protocol } } : {}),
    // IPv6 asks for a route by that device.
    ...(strict6 || source.startsWith('fe80') ? { output: device } : {}),
  };
  const lookup = lookupRoute(input.snapshot, input.place, key);
  if (lookup.state === 'unseen') return 'unknown';
  const answers = new Set(
    lookup.ways.map(({ found, doubt }): Truth => {
      if (doubt !== undefined) return 'unknown';
      const isFit =
        (found.type === 'unicast' && !isDiscarding(found)) || (found.type === 'local' && flags.has('accept-local'));
      if (input.family === 6 && found.type === 'local') return truth(isFit);
      const hops = input.family === 6 ? [found.hop] : (found.route?.nextHops ?? []);
      const leavesThere = hops.some((hop) => hop?.device === device);
      return truth(isFit && (flags.has('loose') || leavesThere));
    }),
  );
  return answers.size === 1 ? [...answers][0]! : 'unknown';
}

function isLoopback(input: HookInput, device: string): boolean {
  return device === 'lo' || (linkNamed(input.snapshot, input.place, device)?.flags.includes('LOOPBACK') ?? false);
}

/** A host that has no address yet: to all or to a group of this link (IPv4), to anyone (IPv6). */
function isExempt({ packet: { ip }, family }: HookInput): boolean {
  if (family === 6) return ip.source === '::';
  if (!ip.source.startsWith('0.')) return false;
  return ip.destination === '255.255.255.255' || ip.destination.startsWith('224.0.0.');
}
