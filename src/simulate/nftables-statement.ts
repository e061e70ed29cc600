import { asRecord, asStrings, nftNode } from '../parse/nft-node.ts';
import { renderNftStatement } from '../parse/nft-rule-text.ts';
import { ACCEPT, BREAK, DROP, fromTest, lost, NEXT, type NftBranch, one, unknownEffect } from './nftables-branch.ts';
import { hasTemplate } from './nftables-ct.ts';
import { after } from './nftables-expression.ts';
import { headerPresence } from './nftables-exthdr.ts';
import { mangleChoices } from './nftables-mangle.ts';
import { testMatch, testOf } from './nftables-match.ts';
import { type NatKind, natChoices } from './nftables-nat.ts';
import { runFlow, runObject } from './nftables-object.ts';
import { rejectVerdict } from './nftables-reject.ts';
import { runSetUpdate, runText } from './nftables-set-update.ts';
import type { NftScope, NftState } from './nftables-state.ts';
import { runTproxy } from './nftables-tproxy.ts';
import { runVmap, turnOf } from './nftables-vmap.ts';
import { UNDECIDED } from './truth.ts';

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
