import { asNumber, asRecord, asText, nftNode } from '../parse/nft-node.ts';
import { BREAK, fromTest, lost, NEXT, type NftBranch, one } from './nftables-branch.ts';
import { hasEntry } from './nftables-ct.ts';
import { after, evaluateExpression } from './nftables-expression.ts';
import { testOf } from './nftables-match.ts';
import type { NftScope } from './nftables-state.ts';
import type { Truth } from './trace.ts';
import { truth } from './truth.ts';

/** A stateful object, anonymous, by its name, or chosen by a map; one that a map has not leaves the rule (nft_objref.c). */
export function runObject(kind: string, body: unknown, scope: NftScope, what: string): readonly NftBranch[] {
  const chosen = nftNode(body)?.kind === 'map' ? evaluateExpression(body, scope) : undefined;
  if (!chosen) return useObject(kind, body, scope, what);
  return chosen.flatMap(({ datum, ...likelihood }): readonly NftBranch[] => {
    if (datum.kind === 'absent') return [{ ...one(BREAK, scope.state), ...likelihood }];
    const name = datum.kind === 'literal' ? datum.literal : undefined;
    return useObject(kind, name, scope, what).map((way) => ({ ...way, ...after(likelihood, way) }));
  });
}

function useObject(kind: string, body: unknown, scope: NftScope, what: string): readonly NftBranch[] {
  const { state, table } = scope;
  const named =
    typeof body === 'string' ? table.objects.find((one) => one.kind === kind && one.name === body) : undefined;
  const object = named?.body ?? (typeof body === 'string' ? undefined : asRecord(body));
  switch (kind) {
    case 'limit':
      return fromTest(testOf('unknown', [what]), state);
    case 'quota':
      return fromTest(testOf(quotaPasses(object), [what]), state);
    case 'ct expectation':
      return fromTest(testOf(isUnconfirmed(scope), [what]), state);
    case 'synproxy':
      return runSynproxy(scope, what);
    default:
      return [one(NEXT, state)];
  }
}

const UNITS: Readonly<Record<string, number>> = { bytes: 1, kbytes: 1024, mbytes: 1024 ** 2, gbytes: 1024 ** 3 };

/**
 * What is used up never comes back, so that an exceeded quota is decided (nft_quota_do_eval); one that is not may be
 * exceeded by others' packets meanwhile.
 */
function quotaPasses(quota: Readonly<Record<string, unknown>> | undefined): Truth {
  const size = sizeOf(quota?.val ?? quota?.bytes, quota?.val_unit);
  const used = sizeOf(quota?.used, quota?.used_unit);
  if (quota === undefined || size === undefined || used === undefined || used <= size) return 'unknown';
  return truth(quota.inv === true);
}

function sizeOf(value: unknown, unit: unknown): number | undefined {
  const factor = UNITS[asText(unit) ?? 'bytes'];
  const count = asNumber(value);
  return count === undefined || factor === undefined ? undefined : count * factor;
}

/** Of a connection without an entry, or whose first packet is past, nothing more is expected: the rule is left (nft_ct_expect_obj_eval). */
function isUnconfirmed({ input, state }: NftScope): Truth {
  if (!hasEntry(state)) return 'no';
  const confirmed = input.connection.status?.confirmed;
  if (confirmed === undefined) return 'unknown';
  return confirmed === 'unknown' ? 'unknown' : truth(confirmed === 'no');
}

/** It answers a client's SYN, and takes its ACK, in the server's place (net/netfilter/nft_synproxy.c). */
function runSynproxy({ state }: NftScope, what: string): readonly NftBranch[] {
  const { l4 } = state.packet;
  if (l4.protocol !== 'tcp') return [one(BREAK, state)];
  const { flags } = l4;
  if (flags && !flags.includes('syn') && !flags.includes('ack')) return [one(NEXT, state)];
  return [lost(state, `${what} answers in the server's place`)];
}

/**
 * `flow add` (net/netfilter/nft_flow_offload.c) takes connections whose entry is confirmed, TCP once it is established: any
 * other packet leaves the rule. What is taken may from then on pass by the hooks.
 */
export function runFlow(scope: NftScope, what: string): readonly NftBranch[] {
  const { state, input } = scope;
  const { l4 } = state.packet;
  const isNew = state.meta.conntrack !== 'established' || isUnconfirmed(scope) === 'yes';
  const isOpening = l4.protocol === 'tcp' && (l4.flags ?? []).some((flag) => ['syn', 'fin', 'rst'].includes(flag));
  const isOther = l4.protocol !== 'tcp' && l4.protocol !== 'udp' && l4.protocol !== 47;
  if (isNew || isOpening || isOther || input.hook !== 'forward') return [one(BREAK, state)];
  return fromTest(testOf('unknown', [what]), state);
}
