import type { Family } from '../net/address.ts';
import { asRecord, asText } from '../parse/nft-node.ts';
import type { HookVerdict } from './hook.ts';
import type { NftType } from './nftables-datum.ts';
import { readNumber } from './nftables-literal.ts';
import type { NftState } from './nftables-state.ts';
import { ICMPX_CODES } from './nftables-symbols.ts';

const DESTINATION_UNREACHABLE = { 4: 3, 6: 1 } as const;
const PORT_UNREACHABLE = { 4: 3, 6: 4 } as const;

/**
 * `reject` (nft(8) "Reject statement", net/netfilter/nft_reject_inet.c). Undefined: not for this packet, the rule is left
 * (nft leaves out the condition that a kind of reject implies). 'unknown': a code that is not understood.
 */
export function rejectVerdict(body: unknown, family: Family, state: NftState): HookVerdict | 'unknown' | undefined {
  const reject = asRecord(body) ?? {};
  const expr = reject.expr ?? 'port-unreachable';
  switch (reject.type) {
    case 'tcp reset':
      return state.packet.l4.protocol === 'tcp' ? { kind: 'reject', with: 'tcp-reset' } : undefined;
    case 'icmp':
      return family === 4 ? withCode(readNumber(expr, 'icmp_code'), family) : undefined;
    case 'icmpv6':
      return family === 6 ? withCode(readNumber(expr, 'icmpv6_code'), family) : undefined;
    case 'icmpx':
    case undefined:
      return withCode(icmpxCode(expr, family), family);
    default:
      return 'unknown';
  }
}

function icmpxCode(expr: unknown, family: Family): bigint | undefined {
  const codes = ICMPX_CODES[asText(expr) ?? ''];
  if (codes) return BigInt(family === 4 ? codes.icmp : codes.icmpv6);
  const type: NftType = family === 4 ? 'icmp_code' : 'icmpv6_code';
  return expr === undefined ? BigInt(PORT_UNREACHABLE[family]) : readNumber(expr, type);
}

function withCode(code: bigint | undefined, family: Family): HookVerdict | 'unknown' {
  if (code === undefined) return 'unknown';
  return { kind: 'reject', with: { type: DESTINATION_UNREACHABLE[family], code: Number(code) } };
}
