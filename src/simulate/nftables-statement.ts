import { familyOf } from '../net/address.ts';
import { asNumber, asRecord, asStrings, asText, nftNode } from '../parse/nft-node.ts';
import { renderNftExpression, renderNftStatement } from '../parse/nft-rule-text.ts';
import {
  ACCEPT,
  BREAK,
  DROP,
  fromTest,
  lost,
  NEXT,
  type NftBranch,
  type NftTurn,
  one,
  unknownEffect,
} from './nftables-branch.ts';
import { hasTemplate } from './nftables-ct.ts';
import { notKnown } from './nftables-datum.ts';
import { after, evaluateExpression, lookupIn, setNamed } from './nftables-expression.ts';
import { headerPresence } from './nftables-exthdr.ts';
import { mangleChoices } from './nftables-mangle.ts';
import { testMatch, testOf } from './nftables-match.ts';
import { type NatKind, natChoices } from './nftables-nat.ts';
import { runFlow, runObject } from './nftables-object.ts';
import { rejectVerdict } from './nftables-reject.ts';
import type { NftScope, NftState } from './nftables-state.ts';
import { addedTo, withTouched } from './nftables-touched.ts';
import { transparentSocket } from './nftables-tproxy.ts';
import type { Truth } from './trace.ts';
import { UNDECIDED } from './truth.ts';

/** Elements of a map that an undecided key is tried with. */
const CANDIDATES_MAX = 64;

/** What one statement of a rule does with the packet (nft(8) "Statements"). */
export function runStatement(statement: unknown, scope: NftScope): readonly NftBranch[] {
  if (typeof statement === 'string') return runText(statement, scope);
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
      return [one(NEXT, state.meta.conntrack === 'none' && !hasTemplate(state) ? untracked(state) : state)];
    case 'queue':
      return runQueue(node.body, state);
    case 'tproxy':
      return runTproxy(node.body, scope);
    case 'set':
    case 'map':
      return runSetUpdate(node.body, scope, renderNftStatement(statement));
    case 'log':
    case 'last':
      return [one(NEXT, state)];
    case 'counter':
    case 'ct helper':
    case 'ct timeout':
    case 'secmark':
    case 'ct expectation':
    case 'limit':
    case 'quota':
    case 'synproxy':
      return runObject(node.kind, node.body, scope, renderNftStatement(statement));
    case 'dup':
      return [{ ...one(NEXT, state), features: [renderNftStatement(statement)] }];
    case 'fwd':
      return [lost(state, `${renderNftStatement(statement)}: the frame goes out by another device`)];
    case 'flow':
      return runFlow(scope, renderNftStatement(statement));
    case 'reset':
      return runReset(node.body, scope, renderNftStatement(statement));
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

/** Without a program at the queue `bypass` lets the packet go on, as if the base chain had accepted it; who listens is not known. */
function runQueue(body: unknown, state: NftState): readonly NftBranch[] {
  const queued = one({ kind: 'verdict', verdict: { kind: 'queue' } }, state);
  if (!asStrings(asRecord(body)?.flags).includes('bypass')) return [queued];
  const undecided = { chance: UNDECIDED, fork: 'undecided', doubts: [renderNftStatement({ queue: body })] } as const;
  return [
    { ...queued, ...undecided },
    { ...one(ACCEPT, state), ...undecided },
  ];
}

/** `reset tcp option`: the option is overwritten with NOPs; one that is not there changes nothing (nft_exthdr_tcp_strip_eval). */
function runReset(body: unknown, scope: NftScope, what: string): readonly NftBranch[] {
  const { state } = scope;
  const { l4 } = state.packet;
  const option = asRecord(nftNode(body)?.body);
  const found = headerPresence(nftNode(body)?.kind ?? '', option, scope);
  if (l4.protocol !== 'tcp' || (state.packet.ip.fragmentOffset ?? 0) > 0) return [one(BREAK, state)];
  if (found === 'no') return [one(NEXT, state)];
  if (option?.name !== 'maxseg') return [{ ...one(NEXT, state), features: [what] }];
  const { mss: _, ...rest } = l4;
  return [one(NEXT, { ...state, packet: { ...state.packet, l4: rest } })];
}

function untracked(state: NftState): NftState {
  return { ...state, notrack: true, meta: { ...state.meta, conntrack: 'untracked' } };
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
  const ways = mangled(body, scope);
  if (!hasLostCondition(body)) return ways;
  // nft 1.0.6 shows `icmp type set …` as this, without the condition on the protocol that the kernel has.
  const undecided = { chance: UNDECIDED, fork: 'undecided', doubts: [renderNftStatement({ mangle: body })] } as const;
  return [...ways, one(BREAK, scope.state)].map((way) => ({ ...way, ...undecided }));
}

/** `th sport set th sport & 0x00ff`: half of a port is no port. */
function hasLostCondition(body: unknown): boolean {
  const { key, value } = asRecord(body) ?? {};
  return isPort(key) && nftNode(value) !== undefined && isPort(firstOperand(value));
}

function isPort(expression: unknown): boolean {
  return asRecord(asRecord(expression)?.payload)?.protocol === 'th';
}

function firstOperand(expression: unknown): unknown {
  const node = nftNode(expression);
  return Array.isArray(node?.body) && (node.kind === '&' || node.kind === '|')
    ? firstOperand(node.body[0])
    : expression;
}

function mangled(body: unknown, scope: NftScope): readonly NftBranch[] {
  return mangleChoices(body, scope).map(({ state, features, lost: isLost, ...likelihood }) => ({
    ...(isLost ? lost(scope.state, features.join('; ')) : one(state ? NEXT : BREAK, state ?? scope.state)),
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

/**
 * `add`/`update`/`delete @SET { KEY }` (net/netfilter/nft_dynset.c): goes on, unless the key is not there, the set is full,
 * or an expression of the element refuses. A deletion always goes on.
 */
function runSetUpdate(body: unknown, scope: NftScope, what: string): readonly NftBranch[] {
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
function runText(statement: string, scope: NftScope): readonly NftBranch[] {
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
