import { CHAIN_OWNERS, type Owner, TABLE_OWNERS } from './owner-names.ts';

export type { Owner } from './owner-names.ts';

/** One iptables rule as iptables-save prints it: `-A FORWARD -s 10.244.0.0/16 -j ACCEPT`. */
export interface OwnedRule {
  readonly table: string;
  readonly chain: string;
  readonly text: string;
}

const BUILT_IN = new Set(['PREROUTING', 'INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING']);

export const FOREIGN: Owner = { by: 'foreign', purpose: 'a rule that no known component writes', ofCluster: false };

/** Whose chain this is by its name; undefined for built-in chains and names that nobody is known for. */
export function ownerOfChain(chain: string): Owner | undefined {
  if (BUILT_IN.has(chain)) return undefined;
  return CHAIN_OWNERS.find((one) => one.name.test(chain))?.owner;
}

/** Whose nftables table this is by its name; undefined for the tables that iptables-nft keeps and for unknown names. */
export function ownerOfNftTable(name: string): Owner | undefined {
  return TABLE_OWNERS.find((one) => one.name.test(name))?.owner;
}

/**
 * Who wrote this rule. By its chain, and in a built-in chain by the chain that it jumps to or by its whole shape; a
 * comment by itself decides nothing, and a rule that the chain's owner never writes (a DROP put into FLANNEL-FWD by hand)
 * is foreign. kube-proxy leaves its comments out above 1,000 endpoints.
 */
export function ownerOfRule(rule: OwnedRule): Owner {
  const parts = ruleParts(rule.text);
  if (!BUILT_IN.has(rule.chain)) {
    const owner = ownerOfChain(rule.chain);
    if (owner === undefined) return FOREIGN;
    return refuses(parts) && !ownerRefuses(owner, rule, parts)
      ? { ...FOREIGN, purpose: `put into ${rule.chain}` }
      : owner;
  }
  const jumped = parts.target === undefined ? undefined : ownerOfChain(parts.target);
  return jumped ?? ownerByShape(rule, parts) ?? FOREIGN;
}

interface RuleParts {
  /** The rule without its comments. */
  readonly bare: string;
  readonly target?: string;
  readonly comments: readonly string[];
}

function ruleParts(text: string): RuleParts {
  const comments: string[] = [];
  const bare = text.replace(/\s+-m comment --comment ("(?:[^"\\]|\\.)*"|\S+)/g, (_, quoted: string) => {
    comments.push(quoted.startsWith('"') ? quoted.slice(1, -1) : quoted);
    return '';
  });
  const target = /(?:^|\s)-[jg] (?<target>\S+)/.exec(bare)?.groups?.target;
  return { bare, ...(target === undefined ? {} : { target }), comments };
}

function refuses(parts: RuleParts): boolean {
  return parts.target === 'DROP' || parts.target === 'REJECT' || parts.target === 'KUBE-MARK-DROP';
}

/** Which refusals the chain's owner does write. */
function ownerRefuses(owner: Owner, rule: OwnedRule, parts: RuleParts): boolean {
  if (owner.by === 'flannel') return false;
  if (owner.by === 'kube-proxy' || owner.by === 'kubelet') return kubernetesRefuses(rule.chain, parts.bare);
  if (owner.by === 'portmap' || owner.by === 'istio' || owner.by === 'linkerd')
    return /--ctstate INVALID/.test(parts.bare);
  return true;
}

/** pkg/proxy/iptables/proxier.go and pkg/kubelet/kubelet_network_linux.go: where they drop or reject. */
function kubernetesRefuses(chain: string, bare: string): boolean {
  if (chain === 'KUBE-FORWARD') return /--ctstate INVALID/.test(bare);
  if (chain === 'KUBE-FIREWALL') return /-d 127\.0\.0\.0\/8|--mark 0x0*8000\/0x0*8000/.test(bare);
  // Services without endpoints, load balancer source ranges: always for one address and port, or one node port.
  if (/^KUBE-(SERVICES|EXTERNAL-SERVICES|NODEPORTS|PROXY-FIREWALL)$/.test(chain))
    return /-d \S+|--dst-type LOCAL/.test(bare);
  return /^KUBE-(SVC|SVL|EXT|FW|XLB|MARK-DROP)/.test(chain);
}

const flannel = (purpose: string): Owner => ({ by: 'flannel', purpose, ofCluster: true });

/** Rules that their authors put into built-in chains themselves. */
function ownerByShape(rule: OwnedRule, parts: RuleParts): Owner | undefined {
  const { bare, target, comments } = parts;
  const says = (text: string) => comments.some((one) => one.includes(text));
  // flannel before 0.22 had no chains of its own (pkg/ip/iptables.go).
  const prefixed = /(?:^|\s)(?:! )?-[sd] \S+/.test(bare);
  if (rule.table === 'filter' && target === 'ACCEPT' && prefixed && says('flanneld forward'))
    return flannel('forwards pod traffic');
  if (rule.table === 'nat' && /^(RETURN|MASQUERADE|ACCEPT)$/.test(target ?? '') && prefixed && says('flanneld masq')) {
    return flannel('masquerades what leaves the pod network');
  }
  if (
    /^(NOTRACK|CT|ACCEPT)$/.test(target ?? '') &&
    /169\.254\.20\.10|-[sd] \S+ .*--[sd]port (53|8080)\b/.test(bare) &&
    says('NodeLocal DNS Cache')
  ) {
    return { by: 'node-local-dns', purpose: 'keeps DNS of the node-local cache untracked', ofCluster: true };
  }
  // Calico marks what it puts into built-in chains with `cali:HASH`; all of it accepts by its own marks.
  if (target === 'ACCEPT' && comments.some((one) => /^cali:/.test(one)) && /--mark 0x[0-9a-f]+/.test(bare)) {
    return { by: 'calico', purpose: 'accepts what its policy let pass', ofCluster: true };
  }
  return undefined;
}
