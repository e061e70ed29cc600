import type { NftChain, NftRule } from '../parse/nft-json.ts';
import { renderNftStatement } from '../parse/nft-rule-text.ts';
import { type NftWalkPlace, placeValues } from './nftables-rule-step.ts';
import type { NftState } from './nftables-state.ts';
import { runStatement } from './nftables-statement.ts';
import type { Step } from './trace.ts';

/** A rule that does not match on this way, with the first of its statements that left it, or by which lots were drawn (World.record). */
export function passedOverStep(rule: NftRule, chain: NftChain, before: NftState, place: NftWalkPlace): Step {
  const { input, table } = place.scope;
  const failed = failedStatement(rule, before, place) ?? 'its matches';
  return {
    kind: 'rule',
    at: `${input.hook} nft ${table.family} ${table.name} ${chain.name}#${rule.number}`,
    matched: 'no',
    source: { request: place.source.request, text: rule.text },
    values: {
      ...placeValues(place),
      chain: chain.name,
      handle: rule.handle,
      ruleNumber: rule.number,
      ruleText: rule.text,
      failed,
      ...(rule.packets === undefined ? {} : { packets: rule.packets }),
    },
    text: `passed over: fails at ${failed}`,
    changes: [],
    features: [],
  };
}

function failedStatement(rule: NftRule, before: NftState, place: NftWalkPlace): string | undefined {
  let state = before;
  let drawn: string | undefined;
  for (const statement of rule.statements) {
    const branches = runStatement(statement, { ...place.scope, state });
    if (branches.every((branch) => branch.turn.kind === 'break')) return renderNftStatement(statement);
    if (branches.some((branch) => branch.turn.kind === 'break')) drawn ??= renderNftStatement(statement);
    state = branches.find((branch) => branch.turn.kind !== 'break')!.state;
  }
  return drawn;
}
