import { familyOf } from '../net/address.ts';
import { asNumber, asRecord, asText, nftNode } from '../parse/nft-node.ts';
import { renderNftExpression, renderNftStatement } from '../parse/nft-rule-text.ts';
import type { HookVerdict } from './hook.ts';
import { after, evaluateExpression, lookupIn } from './nftables-expression.ts';
import { mangleChoices } from './nftables-mangle.ts';
import { type NftTest, testMatch, testOf } from './nftables-match.ts';
import { type NatKind, natChoices } from './nftables-nat.ts';
import { rejectVerdict } from './nftables-reject.ts';
import type { NftScope, NftState } from './nftables-state.ts';
import { transparentSocket } from './nftables-tproxy.ts';
import type { Chance } from './trace.ts';
import { CERTAIN, UNDECIDED } from './truth.ts';

export type NftTurn =
  /** The next statement, or after the last one the next rule. */
  | { readonly kind: 'next' }
  /** The rule is left: it does not match. */
  | { readonly kind: 'break' }
  | { readonly kind: 'return' }
  | { readonly kind: 'jump' | 'goto'; readonly chain: string }
  | { readonly kind: 'verdict'; readonly verdict: HookVerdict };

/** One way in which a statement, or a whole rule, can go. Ways exclude each other. */
export interface NftBranch {
  readonly turn: NftTurn;
  readonly state: NftState;
  readonly chance: Chance;
  readonly fork?: 'random' | 'undecided';
  /** What could not be decided on this way, in nft's words. */
  readonly doubts: readonly string[];
  /** What was met that is not modelled and does not decide where the packet goes. */
  readonly features: readonly string[];
}

/** Elements of a map that an undecided key is tried with. */
const CANDIDATES_MAX = 64;

const ACCEPT: NftTurn = { kind: 'verdict', verdict: { kind: 'accept' } };
const DROP: NftTurn = { kind: 'verdict', verdict: { kind: 'drop' } };
const NEXT: NftTurn = { kind: 'next' };
const BREAK: NftTurn = { kind: 'break' };

/** What one statement of a rule does with the packet (nft(8) "Statements"). */
export function runStatement(statement: unknown, scope: NftScope): readonly NftBranch[] {
  const node = nftNode(statement);
  const { state } = scope;
  switch (node?.kind) {
    case 'match':
      return fromTest(testMatch(node.body, scope), state);
    case 'vmap':
      return runVmap(node.body, scope);
    case 'accept':
    case 'drop':
    case 'return':
    case 'continue':
    case 'jump':
    case 'goto':
      return [one(turnOf(statement)!, state)];
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
      return runNat(node.kind, node.body, scope);
    case 'reject':
      return runReject(node.body, scope);
    case 'mangle':
      return runMangle(node.body, scope);
    case 'notrack':
      return [one(NEXT, state.meta.conntrack === 'none' ? untracked(state) : state)];
    case 'queue':
      return [one({ kind: 'verdict', verdict: { kind: 'queue' } }, state)];
    case 'tproxy':
      return runTproxy(node.body, scope);
    case 'set':
    case 'map':
      return runSetUpdate(node.body, scope, renderNftStatement(statement));
    case 'counter':
    case 'log':
    case 'last':
    case 'ct helper':
    case 'ct timeout':
    case 'ct expectation':
    case 'secmark':
      return [one(NEXT, state)];
    case 'dup':
    case 'flow':
    case 'reset':
      return [{ ...one(NEXT, state), features: [renderNftStatement(statement)] }];
    case 'limit':
    case 'quota':
    case 'ct count':
    case 'meter':
    case 'hashlimit':
      return fromTest(testOf('unknown', [renderNftStatement(statement)]), state);
    case 'xt':
      return runXt(node.body, scope);
    default:
      return unknownEffect(state, renderNftStatement(statement));
  }
}

function one(turn: NftTurn, state: NftState): NftBranch {
  return { turn, state, chance: CERTAIN, doubts: [], features: [] };
}

function untracked(state: NftState): NftState {
  return { ...state, notrack: true, meta: { ...state.meta, conntrack: 'untracked' } };
}

function fromTest(test: NftTest, state: NftState): readonly NftBranch[] {
  const shared = { state, doubts: test.doubts, features: [], ...(test.fork ? { fork: test.fork } : {}) };
  const branches: NftBranch[] = [];
  if (test.yes.max > 0) branches.push({ ...shared, turn: NEXT, chance: test.yes });
  if (test.no.max > 0) branches.push({ ...shared, turn: BREAK, chance: test.no });
  return branches;
}

/** A statement that is not understood may let the packet go on, accept it or drop it. */
function unknownEffect(state: NftState, what: string): readonly NftBranch[] {
  return [ACCEPT, DROP, NEXT].map((turn) => ({
    turn,
    state,
    chance: UNDECIDED,
    fork: 'undecided',
    doubts: [what],
    features: [],
  }));
}

/** A verdict as a statement or as a map's right side; undefined where it is none. */
function turnOf(verdict: unknown): NftTurn | undefined {
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

function runVmap(body: unknown, scope: NftScope): readonly NftBranch[] {
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
  if (left > 0) doubts.push(`${left} more verdicts of this map not walked`);
  const turns = verdicts.slice(0, CANDIDATES_MAX).map((verdict) => turnOf(JSON.parse(verdict)) ?? NEXT);
  const way = after(likelihood, { chance: UNDECIDED, fork: 'undecided' });
  return [...turns, BREAK].map((turn) => ({ turn, state, ...way, doubts, features: [] }));
}

/** NAT is terminal: what it set up is accepted. A target of the other family does nothing. */
function runNat(kind: NatKind, body: unknown, scope: NftScope): readonly NftBranch[] {
  const { state } = scope;
  const family = asRecord(body)?.family;
  if (family !== undefined && family !== (scope.input.family === 4 ? 'ip' : 'ip6')) return [one(NEXT, state)];
  return natChoices(kind, body, scope).flatMap(({ nat, ...likelihood }): readonly NftBranch[] => {
    if (nat === undefined) return [{ ...one(BREAK, state), ...likelihood }];
    if (nat !== 'unknown') return [{ ...one(ACCEPT, { ...state, nat }), ...likelihood }];
    return unknownEffect(state, renderNftStatement({ [kind]: body })).map((way) => ({
      ...way,
      ...after(likelihood, way),
    }));
  });
}

function runReject(body: unknown, scope: NftScope): readonly NftBranch[] {
  const verdict = rejectVerdict(body, scope.input.family, scope.state);
  if (verdict === undefined) return [one(BREAK, scope.state)];
  if (verdict === 'unknown') {
    return [{ ...one(DROP, scope.state), features: [renderNftStatement({ reject: body })] }];
  }
  return [one({ kind: 'verdict', verdict }, scope.state)];
}

function runMangle(body: unknown, scope: NftScope): readonly NftBranch[] {
  return mangleChoices(body, scope).map(({ state, features, ...likelihood }) => ({
    ...one(state ? NEXT : BREAK, state ?? scope.state),
    ...likelihood,
    features,
  }));
}

/**
 * `tproxy` takes the packet only if a transparent socket is there for it, otherwise the rule is left. An accept that
 * follows, in this or a later rule, is then what hands it over.
 */
function runTproxy(body: unknown, scope: NftScope): readonly NftBranch[] {
  const { state, input } = scope;
  const tproxy = asRecord(body) ?? {};
  const address = asText(tproxy.addr);
  const port = asNumber(tproxy.port);
  const family = tproxy.family ?? (address === undefined ? undefined : familyOf(address) === 4 ? 'ip' : 'ip6');
  const { protocol } = state.packet.l4;
  const foreign = family !== undefined && family !== (input.family === 4 ? 'ip' : 'ip6');
  if (foreign || (protocol !== 'tcp' && protocol !== 'udp')) return [one(BREAK, state)];
  const verdict = { kind: 'tproxy' as const, ...(address ? { address } : {}), ...(port === undefined ? {} : { port }) };
  const test = testOf(transparentSocket(verdict, scope), [renderNftStatement({ tproxy: body })]);
  return fromTest(test, state).map((way) =>
    way.turn.kind === 'next' ? { ...way, state: { ...state, tproxy: verdict } } : way,
  );
}

/** `add`/`update`/`delete @SET { KEY }`: goes on, unless the key is not there or an expression of the element refuses. */
function runSetUpdate(body: unknown, scope: NftScope, what: string): readonly NftBranch[] {
  const update = asRecord(body) ?? {};
  const name = (asText(update.set) ?? asText(update.map) ?? '').replace(/^@/, '');
  const { state } = scope;
  const touched = state.touched.includes(name) ? state.touched : [...state.touched, name];
  const inner = Array.isArray(update.stmt) ? update.stmt.map((item) => nftNode(item)?.kind ?? 'xt') : [];
  const refusable = inner.some((kind) => kind !== 'counter' && kind !== 'last');
  return evaluateExpression(update.elem, scope).flatMap(({ datum, ...likelihood }): readonly NftBranch[] => {
    if (datum.kind === 'absent') return [{ ...one(BREAK, state), ...likelihood }];
    const test = refusable ? testOf('unknown', [what]) : testOf('yes', []);
    return fromTest(test, { ...state, touched }).map((way) => ({ ...way, ...after(likelihood, way) }));
  });
}

const HARMLESS_XT = new Set([
  'match comment',
  'match nfacct',
  'target LOG',
  'target NFLOG',
  'target TRACE',
  'target AUDIT',
]);

/** An expression of iptables-nft, whose parameters nft does not show. */
function runXt(body: unknown, scope: NftScope): readonly NftBranch[] {
  const xt = asRecord(body);
  const what = renderNftStatement({ xt: body });
  if (HARMLESS_XT.has(`${String(xt?.type)} ${String(xt?.name)}`)) return [one(NEXT, scope.state)];
  if (xt?.type === 'match') return fromTest(testOf('unknown', [what]), scope.state);
  return unknownEffect(scope.state, what);
}
