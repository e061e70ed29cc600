import type { Place } from '../../net/place.ts';
import { chainsAt } from './chains-at.ts';
import { type Meant, nothing, type WhatIfContext, wasMet } from './what-if-context.ts';
import { isOf, nearChains } from './without-rule.ts';

/** `FORWARD ACCEPT`, `nft inet fw forward drop`, with the table and backend or without; filter where several tables have the chain. */
export function policyChange(words: string, place: Place, { snapshot, family, trip }: WhatIfContext): Meant {
  const tokens = words.split(/[\s/]+/);
  const verdict = tokens.find((word) => /^(accept|drop)$/i.test(word))?.toUpperCase();
  const rest = tokens.filter((word) => word.toUpperCase() !== verdict);
  if (verdict === undefined || rest.length === 0)
    return nothing(`'policy ${words}' is not understood: say policy CHAIN ACCEPT or policy CHAIN DROP`);
  const all = chainsAt(snapshot, place, family);
  const based = all.filter((chain) => chain.policy !== undefined && rest.includes(chain.chain));
  const named = based.filter((chain) => rest.every((word) => word === chain.chain || chain.words.has(word)));
  const filters = named.filter((chain) => chain.table === 'filter');
  const meant = filters.length > 0 ? filters : named;
  if (meant.length === 0) {
    const near = rest.flatMap((word) =>
      nearChains(
        word,
        all.filter((chain) => chain.policy !== undefined),
      ),
    );
    return nothing(`there is no chain ${rest.join(' ')} with a policy`, near);
  }
  const others = meant.filter((chain) => chain.policy !== verdict);
  if (others.length === 0)
    return { ...nothing(`the policy of ${meant[0]!.name} is ${verdict} already`), already: true };
  return {
    candidates: others.map((chain) => ({
      change: {
        op: 'policy',
        backend: chain.backend,
        family,
        table: chain.table,
        chain: chain.chain,
        verdict: verdict === 'ACCEPT' ? 'accept' : 'drop',
        place,
        text: `with the policy of ${chain.name} ${verdict}`,
      },
      name: `policy ${chain.fullName} ${verdict}`,
      shown: `its policy is ${chain.policy}`,
      met: wasMet(trip, place, (step) => step.kind === 'policy' && isOf(chain, step)),
    })),
  };
}
