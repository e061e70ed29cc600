import { hostOf } from '../../net/place.ts';
import type { IptablesRuleset } from '../../parse/iptables-save.ts';
import type { NftRuleset } from '../../parse/nft-json.ts';
import { nftTableNames } from '../../simulate/nftables-tables.ts';
import type { Observed, Snapshot, Source } from '../../snapshot/snapshot.ts';

export interface ProgrammedMode {
  readonly mode: 'iptables' | 'nftables' | 'ipvs';
  /** Which of the two iptables backends carries it. */
  readonly backend?: 'nft' | 'legacy';
  readonly because: string;
  readonly source: Source;
}

/**
 * In which modes a service proxy's work is present on this node, by what only that work makes: per-Service chains
 * (kubelet makes KUBE-IPTABLES-HINT, KUBE-MARK-DROP and the like by itself), a table of the name kube-proxy, or a
 * kube-ipvs0 with addresses. It may be what a former or a crashed proxy left.
 */
export function programmedModes(snapshot: Snapshot, node: string): readonly ProgrammedMode[] {
  return [...iptablesModes(snapshot, node), ...nftablesModes(snapshot, node), ...ipvsModes(snapshot, node)];
}

function iptablesModes(snapshot: Snapshot, node: string): ProgrammedMode[] {
  return (['nft', 'legacy'] as const).flatMap((backend) => {
    for (const ruleset of [...rulesetsOf(snapshot, node, backend), ...chainListsOf(snapshot, node, backend)]) {
      if (ruleset.state === 'unseen') continue;
      const tables: readonly { readonly name: string; readonly chains: readonly { readonly name: string }[] }[] =
        ruleset.value.tables;
      const chains = tables.filter(({ name }) => name === 'nat').flatMap((nat) => nat.chains);
      const chain = chains.find((one) => /^KUBE-(SVC|SEP)-/.test(one.name));
      if (!chain) continue;
      const because = `chain ${chain.name} in the nat table of iptables-${backend}`;
      return [{ mode: 'iptables', backend, because, source: { ...ruleset.source, text: `:${chain.name}` } } as const];
    }
    return [];
  });
}

function rulesetsOf(snapshot: Snapshot, node: string, backend: 'nft' | 'legacy'): Observed<IptablesRuleset>[] {
  const place = hostOf(node);
  return ([4, 6] as const).flatMap((family) =>
    backend === 'legacy'
      ? [snapshot.fact('iptables.legacy', place, { family })]
      : ['', 'nat'].map((table) => snapshot.fact('iptables.nft', place, { family, table })),
  );
}

/** Where the rules were too many to be read at once, nft has listed their chains. */
function chainListsOf(snapshot: Snapshot, node: string, backend: 'nft' | 'legacy'): Observed<NftRuleset>[] {
  if (backend === 'legacy') return [];
  return [snapshot.fact('nft.chains', hostOf(node))];
}

function nftablesModes(snapshot: Snapshot, node: string): ProgrammedMode[] {
  const tables = nftTableNames(snapshot, hostOf(node));
  if (tables.state === 'unseen') return [];
  const table = tables.value.find((one) => one.name === 'kube-proxy' && (one.family === 'ip' || one.family === 'ip6'));
  if (!table) return [];
  const text = `table ${table.family} kube-proxy`;
  return [{ mode: 'nftables', because: `nftables ${text}`, source: { ...tables.source, text } }];
}

function ipvsModes(snapshot: Snapshot, node: string): ProgrammedMode[] {
  const links = snapshot.fact('links', hostOf(node));
  if (links.state === 'unseen') return [];
  const device = links.value.find((one) => one.name === 'kube-ipvs0' || one.name === 'kube-dummy-if');
  if (!device || device.addresses.length === 0) return [];
  const because = `device ${device.name} with ${device.addresses.length} Service addresses`;
  return [{ mode: 'ipvs', because, source: { ...links.source, text: device.name } }];
}
