import type { Address } from '../net/address.ts';
import type { L4, Port } from '../net/packet.ts';
import { prefixContains } from '../net/prefix.ts';
import type { RoutingRule } from '../parse/ip-rule.ts';
import { protocolNumber } from './iptables-match-ip.ts';
import { portInRange } from './iptables-match-ports.ts';
import type { Truth } from './trace.ts';
import { and, not, truth } from './truth.ts';

/** What a route is looked up by (struct flowi). */
export interface RouteKey {
  readonly source?: Address;
  readonly destination: Address;
  readonly tos: number;
  readonly mark: number;
  readonly l4?: L4;
  readonly input?: string;
  /** The device that the packet has to leave by. */
  readonly output?: string;
}

/** fib_rule_match of net/core/fib_rules.c and fib4_rule_match. `iif lo` means packets of this host's own. */
export function ruleMatches(rule: RoutingRule, key: RouteKey): Truth {
  const tests: Truth[] = [
    truth(rule.input === undefined || rule.input === (key.input ?? 'lo')),
    truth(rule.output === undefined || rule.output === key.output),
    truth(rule.mark === undefined || (key.mark & rule.mark.mask) >>> 0 === rule.mark.value),
    truth(
      !rule.source || rule.source.length === 0 || (key.source !== undefined && prefixContains(rule.source, key.source)),
    ),
    truth(!rule.destination || prefixContains(rule.destination, key.destination)),
    truth(rule.tos === undefined || rule.tos === 0 || rule.tos === (key.tos & 0xfc)),
    protocolTest(rule, key.l4),
    portTest(rule.sourcePorts, key.l4, 'sourcePort'),
    portTest(rule.destinationPorts, key.l4, 'destinationPort'),
  ];
  const all = and(...tests, rule.undecidable.length > 0 ? 'unknown' : 'yes');
  return rule.not ? not(all) : all;
}

function protocolTest(rule: RoutingRule, l4: L4 | undefined): Truth {
  if (rule.protocol === undefined) return 'yes';
  return truth(l4 !== undefined && protocolNumber(rule.protocol) === protocolNumber(l4.protocol));
}

function portTest(
  range: { readonly from: number; readonly to: number } | undefined,
  l4: L4 | undefined,
  end: 'sourcePort' | 'destinationPort',
): Truth {
  if (!range) return 'yes';
  const port: Port | undefined = l4 && 'sourcePort' in l4 ? l4[end] : undefined;
  return port === undefined ? 'no' : portInRange(port, range);
}
