import { asRecord, asText, nftNode } from '../parse/nft-node.ts';
import { BREAK, fromTest, type NftBranch, one, unknownEffect } from './nftables-branch.ts';
import { notKnown } from './nftables-datum.ts';
import { after, evaluateExpression, setNamed } from './nftables-expression.ts';
import { testOf } from './nftables-match.ts';
import type { NftScope } from './nftables-state.ts';
import { addedTo, withTouched } from './nftables-touched.ts';
import type { Truth } from './trace.ts';

/**
 * `add`/`update`/`delete @SET { KEY }` (net/netfilter/nft_dynset.c): goes on, unless the key is not there, the set is full,
 * or an expression of the element refuses. A deletion always goes on.
 */
export function runSetUpdate(body: unknown, scope: NftScope, what: string): readonly NftBranch[] {
  const update = asRecord(body) ?? {};
  const name = (asText(update.set) ?? asText(update.map) ?? '').replace(/^@/, '');
  const op = asText(update.op) ?? 'add';
  const { state } = scope;
  return evaluateExpression(update.elem, scope).flatMap(({ datum, ...likelihood }): readonly NftBranch[] => {
    if (datum.kind === 'absent') return [{ ...one(BREAK, state), ...likelihood }];
    const test = testOf(op === 'delete' ? 'yes' : isTaken(update, name, scope), [what]);
    return fromTest(test, withTouched(scope, name, op, datum)).map((way) => ({ ...way, ...after(likelihood, way) }));
  });
}

const MAP_UPDATE = /^(?<op>add|update|delete) @(?<name>\S+) \{ /;

/** A statement that nft 1.0.6 has no JSON for is printed in its own language: `add @m { ip saddr : 0x7 }`. */
export function runText(statement: string, scope: NftScope): readonly NftBranch[] {
  const { op, name } = MAP_UPDATE.exec(statement)?.groups ?? {};
  if (op === undefined || name === undefined) return unknownEffect(scope.state, statement);
  // The key may be a field that the packet has not, and then the rule is left.
  return fromTest(testOf('unknown', [statement]), withTouched(scope, name, op, notKnown(statement)));
}

function isTaken(update: Readonly<Record<string, unknown>>, name: string, scope: NftScope): Truth {
  const inner = Array.isArray(update.stmt) ? update.stmt.map((item) => nftNode(item)?.kind ?? 'xt') : [];
  if (inner.some((kind) => kind !== 'counter' && kind !== 'last')) return 'unknown';
  const set = setNamed(scope.table, name);
  if (!set || set.terse) return 'unknown';
  return set.size === undefined || set.elements.length + addedTo(scope, name) < set.size ? 'yes' : 'unknown';
}
