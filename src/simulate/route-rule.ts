import { type Address, type Family, familyOf } from '../net/address.ts';
import type { L4, Port } from '../net/packet.ts';
import type { Place } from '../net/place.ts';
import { prefixContains } from '../net/prefix.ts';
import type { Link } from '../parse/ip-link.ts';
import type { RoutingRule } from '../parse/ip-rule.ts';
import { isComplete, type Snapshot } from '../snapshot/snapshot.ts';
import { portInRange } from './ephemeral-port.ts';
import { protocolNumber } from './iptables-protocols.ts';
import type { Truth } from './trace.ts';
import { and, not, truth } from './truth.ts';

/** What a route is looked up by (struct flowi). */
export interface RouteKey {
  readonly source?: Address;
  readonly destination: Address;
  readonly tos: number;
  readonly mark: number;
  readonly l4?: L4;
  /** Where the packet came in; absent or `lo` where this host sends it. */
  readonly input?: string;
  /** The device that the packet has to leave by. */
  readonly output?: string;
  /** The sender's socket is bound to `output` (SO_BINDTODEVICE). */
  readonly isBound?: boolean;
  /** Rules of IPv6 look routes up so, whose answer nothing is sent by (ip6_route_lookup). */
  readonly isPlain?: boolean;
  /** Whose socket sends it; 0 for what is forwarded and for the kernel's own (sock_net_uid). Absent: unknown, or 0 with an input device. */
  readonly user?: number | 'unknown';
  /** The id that a tunnel device in collect mode wrote beside the packet; absent: none. */
  readonly tunnelId?: number;
  /** A device of the VRF that the look-up is confined to, where neither `input` nor `output` tells it. */
  readonly vrf?: string;
}

/** Dotted devices and VRFs of one network namespace, as rules need them. */
export interface RuleContext {
  readonly snapshot: Snapshot;
  readonly place: Place;
}

/** The DSCP bits that IPv4's old TOS routing looks at (INET_DSCP_LEGACY_TOS_MASK); IPv6 looks at the whole DSCP. */
const TOS_MASK: Readonly<Record<Family, number>> = { 4: 0x1c, 6: 0xfc };

/**
 * fib_rule_match of net/core/fib_rules.c, with fib4_rule_match and fib6_rule_match. `iif lo` means packets of this host's
 * own.
 */
export function ruleMatches(rule: RoutingRule, key: RouteKey, context?: RuleContext): Truth {
  const all = and(...tests(rule, key, context), rule.undecidable.length > 0 ? 'unknown' : 'yes');
  return rule.not ? not(all) : all;
}

function tests(rule: RoutingRule, key: RouteKey, context: RuleContext | undefined): Truth[] {
  const family = familyOf(key.destination);
  return [
    truth(!rule.detached),
    truth(rule.input === undefined || rule.input === (key.input ?? 'lo')),
    truth(rule.output === undefined || rule.output === (key.output ?? key.vrf)),
    truth(rule.mark === undefined || ((key.mark ^ rule.mark.value) & rule.mark.mask) === 0),
    truth(rule.tunnelId === undefined || rule.tunnelId === (key.tunnelId ?? 0)),
    rule.l3mdev ? isOfVrf(key, context) : 'yes',
    userTest(rule, key.user ?? (isOwn(key) ? 'unknown' : 0)),
    truth(
      !rule.source || rule.source.length === 0 || (key.source !== undefined && prefixContains(rule.source, key.source)),
    ),
    truth(!rule.destination || prefixContains(rule.destination, key.destination)),
    truth(rule.tos === undefined || rule.tos === 0 || rule.tos === (key.tos & TOS_MASK[family])),
    protocolTest(rule, key.l4),
    portTest(rule.sourcePorts, key.l4, 'sourcePort'),
    portTest(rule.destinationPorts, key.l4, 'destinationPort'),
  ];
}

/** Sent by this host itself. */
export function isOwn({ input }: RouteKey): boolean {
  return input === undefined || input === 'lo';
}

function userTest({ users }: RoutingRule, user: number | 'unknown'): Truth {
  if (!users || (users.from === 0 && users.to >= 0xffff_fffe)) return 'yes';
  return user === 'unknown' ? 'unknown' : truth(user >= users.from && user <= users.to);
}

function isOfVrf(key: RouteKey, context: RuleContext | undefined): Truth {
  const found = vrfOf(key, context);
  return found === 'unknown' ? 'unknown' : truth(found !== undefined);
}

/** The VRF that a look-up belongs to (l3mdev_update_flow): that of the output device, else of the input device. */
export function vrfOf(key: RouteKey, context: RuleContext | undefined): Link | undefined | 'unknown' {
  const links = context?.snapshot.fact('links', context.place);
  if (links?.state !== 'seen') return 'unknown';
  const vrfs = links.value.filter((link) => link.kind === 'vrf');
  if (vrfs.length === 0) return isComplete(links) ? undefined : 'unknown';
  const devices = [key.output, key.input, key.vrf].filter((name) => name !== undefined);
  for (const name of devices) {
    const link = links.value.find((one) => one.name === name);
    const vrf = vrfs.find((one) => one.name === name || one.name === link?.master);
    if (vrf) return vrf;
  }
  return undefined;
}

function protocolTest(rule: RoutingRule, l4: L4 | undefined): Truth {
  if (rule.protocol === undefined) return 'yes';
  return truth(l4 !== undefined && protocolNumber(rule.protocol) === protocolNumber(l4.protocol));
}

/** What has no ports has port 0, which no range holds. */
function portTest(
  range: { readonly from: number; readonly to: number } | undefined,
  l4: L4 | undefined,
  end: 'sourcePort' | 'destinationPort',
): Truth {
  if (!range) return 'yes';
  const port: Port | undefined = l4 && 'sourcePort' in l4 ? l4[end] : undefined;
  return port === undefined ? 'no' : portInRange(port, range);
}
