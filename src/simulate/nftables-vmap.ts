import { asRecord, asText, nftNode } from '../parse/nft-node.ts';
import { renderNftExpression } from '../parse/nft-rule-text.ts';
import {
  ACCEPT,
  BREAK,
  DROP,
  lost,
  NEXT,
  type NftBranch,
  type NftTurn,
  one,
  unknownEffect,
} from './nftables-branch.ts';
import { after, evaluateExpression, lookupIn } from './nftables-expression.ts';
import type { NftScope, NftState } from './nftables-state.ts';
import { UNDECIDED } from './truth.ts';

/** Elements of a map that an undecided key is tried with. */
const CANDIDATES_MAX = 64;

/** A verdict as a statement or as a map's right side; undefined where it is none. */
export function turnOf(verdict: unknown): NftTurn | undefined {
  const node = nftNode(verdict);
  switch (node?.kind) {
    case 'accept':
      return ACCEPT;
    case 'drop':
      return DROP;
    case 'continue':
      return NEXT;
    case 'return':
      return { kind: 'return' };
    case 'jump':
    case 'goto':
      return { kind: node.kind, chain: asText(asRecord(node.body)?.target) ?? '' };
    default:
      return undefined;
  }
}

export function runVmap(body: unknown, scope: NftScope): readonly NftBranch[] {
  const vmap = asRecord(body) ?? {};
  const what = `${renderNftExpression(vmap.key)} vmap`;
  return evaluateExpression(vmap.key, scope).flatMap((key): readonly NftBranch[] => {
    const { datum, ...likelihood } = key;
    if (datum.kind === 'absent') return [{ ...one(BREAK, scope.state), ...likelihood }];
    const lookup = lookupIn(vmap.data, datum, scope);
    if (lookup.unlisted) return unknownEffect(scope.state, what).map((way) => ({ ...way, ...after(likelihood, way) }));
    if (!lookup.certain) return undecidedVerdicts(lookup.found, likelihood, scope.state, what);
    if (!lookup.found[0]) return [{ ...one(BREAK, scope.state), ...likelihood }];
    const turn = turnOf(lookup.found[0].data);
    return turn ? [{ ...one(turn, scope.state), ...likelihood }] : unknownEffect(scope.state, what);
  });
}

function undecidedVerdicts(
  found: readonly { readonly data: unknown; readonly doubts: readonly string[] }[],
  likelihood: Pick<NftBranch, 'chance' | 'fork'>,
  state: NftState,
  what: string,
): readonly NftBranch[] {
  const verdicts = [...new Set(found.map((element) => JSON.stringify(element.data)))];
  const left = verdicts.length - CANDIDATES_MAX;
  const doubts = [what, ...found.flatMap((element) => element.doubts)];
  const turns = verdicts.slice(0, CANDIDATES_MAX).map((verdict) => turnOf(JSON.parse(verdict)) ?? NEXT);
  const way = after(likelihood, { chance: UNDECIDED, fork: 'undecided' });
  const ways = [...turns, BREAK].map((turn): NftBranch => ({ turn, state, ...way, doubts, features: [] }));
  return left > 0
    ? [...ways, { ...lost(state, `${left} more verdicts of a map are not walked`), ...way, doubts }]
    : ways;
}
