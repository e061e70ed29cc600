export interface Owner {
  readonly by: string;
  readonly purpose: string;
  /** Of Kubernetes or its CNI; else of the node: its firewall, another program, or somebody's hand. */
  readonly ofCluster: boolean;
}

interface Named {
  readonly name: RegExp;
  readonly owner: Owner;
}

function cluster(name: RegExp, by: string, purpose: string): Named {
  return { name, owner: { by, purpose, ofCluster: true } };
}

function node(name: RegExp, by: string, purpose: string): Named {
  return { name, owner: { by, purpose, ofCluster: false } };
}

/** Chains of iptables by their names, the first that fits. Sources: each program's own code. */
export const CHAIN_OWNERS: readonly Named[] = [
  // kubelet's chains say nothing of kube-proxy (KEP-3178).
  cluster(
    /^KUBE-(IPTABLES-HINT|KUBELET-CANARY|FIREWALL|MARK-DROP)$/,
    'kubelet',
    'marks the node and guards its loopback',
  ),
  cluster(/^KUBE-(POD-FW|NWPLCY)-/, 'kube-router', 'enforces NetworkPolicies'),
  cluster(/^KUBE-ROUTER-/, 'kube-router', 'enforces NetworkPolicies'),
  cluster(
    /^KUBE-(SERVICES|EXTERNAL-SERVICES|NODEPORTS|NODE-PORT|LOAD-BALANCER)$/,
    'kube-proxy',
    'finds the Service of a packet',
  ),
  cluster(/^KUBE-(SVC|SVL|EXT|XLB|SEP|FW)-/, 'kube-proxy', 'sends a Service’s connections to its endpoints'),
  cluster(
    /^KUBE-(FORWARD|PROXY-FIREWALL|SOURCE-RANGES-FIREWALL|IPVS-FILTER|IPVS-OUT-FILTER)$/,
    'kube-proxy',
    'filters Service traffic',
  ),
  cluster(/^KUBE-(MARK-MASQ|POSTROUTING)$/, 'kube-proxy', 'masquerades Service traffic that needs it'),
  cluster(/^KUBE-PROXY-CANARY$/, 'kube-proxy', 'notices when its rules are flushed'),
  cluster(/^FLANNEL-FWD$/, 'flannel', 'forwards pod traffic'),
  cluster(/^FLANNEL-POSTRTG$/, 'flannel', 'masquerades what leaves the pod network'),
  cluster(/^CNI-(HOSTPORT-(DNAT|SETMARK|MASQ|SNAT)|DN-|SN-)/, 'portmap', 'leads a hostPort to its pod'),
  cluster(/^CNI-(FORWARD|ADMIN|ISOLATION-STAGE-)/, 'cni-firewall', 'lets pod traffic pass the firewall'),
  cluster(/^CNI-[0-9a-f]{16,}$/, 'cni-bridge', 'masquerades what a pod sends out'),
  cluster(/^cali-/, 'calico', 'enforces policy and masquerades'),
  cluster(/^(OLD_)?CILIUM_/, 'cilium', 'hands packets between iptables and BPF'),
  cluster(/^AWS-(SNAT|CONNMARK)-CHAIN-/, 'aws-vpc-cni', 'translates what leaves the VPC'),
  cluster(/^IP-MASQ(-AGENT)?$/, 'ip-masq-agent', 'masquerades what leaves the cluster'),
  cluster(/^KIND-MASQ-AGENT$/, 'kindnet', 'masquerades what leaves the cluster'),
  cluster(/^WEAVE(-|$)/, 'weave', 'enforces NetworkPolicies and masquerades'),
  cluster(/^AZURE-NPM/, 'azure-npm', 'enforces NetworkPolicies'),
  cluster(/^ANTREA-/, 'antrea', 'hands packets between iptables and Open vSwitch'),
  cluster(/^OVN-KUBE-/, 'ovn-kubernetes', 'leads node traffic into OVN'),
  cluster(/^OVN-/, 'kube-ovn', 'masquerades and filters pod traffic'),
  cluster(/^OPENSHIFT-/, 'openshift-sdn', 'masquerades and filters pod traffic'),
  cluster(/^ISTIO_/, 'istio', 'redirects the pod’s connections to its proxy'),
  cluster(/^PROXY_INIT_/, 'linkerd', 'redirects the pod’s connections to its proxy'),
  cluster(/^KUMA_MESH_/, 'kuma', 'redirects the pod’s connections to its proxy'),
  cluster(/^CONSUL_/, 'consul-connect', 'redirects the pod’s connections to its proxy'),
  // What an administrator puts into DOCKER-USER or a ufw-user chain is theirs, through that program.
  node(/^DOCKER(-|$)/, 'docker', 'separates and publishes Docker’s containers'),
  node(/^(ufw6?-)/, 'ufw', 'the node’s firewall'),
  node(
    /^(IN|FWD|FWDI|FWDO|FWO|POST|PRE)_[a-zA-Z]|^(INPUT|FORWARD|OUTPUT|PREROUTING|POSTROUTING)_(direct|ZONES|ZONES_SOURCE|IN_ZONES|OUT_ZONES|POLICIES_pre|POLICIES_post)/,
    'firewalld',
    'the node’s firewall',
  ),
  node(/^LIBVIRT_/, 'libvirt', 'connects virtual machines'),
  node(/^NETAVARK/, 'podman', 'connects Podman’s containers'),
  node(/^f2b-/, 'fail2ban', 'shuts out addresses that misbehaved'),
  node(/^ts-(input|forward|postrouting)$/, 'tailscale', 'leads traffic of its network'),
  node(/^(CROWDSEC|crowdsec)/, 'crowdsec', 'shuts out addresses that misbehaved'),
];

/** Tables of nftables by their names. `filter`, `nat`, `mangle`, `raw` and `security` are anybody's. */
export const TABLE_OWNERS: readonly Named[] = [
  cluster(/^kube-proxy$/, 'kube-proxy', 'sends Services’ connections to their endpoints'),
  cluster(/^flannel-ipv[46]$/, 'flannel', 'forwards and masquerades pod traffic'),
  cluster(/^calico$/, 'calico', 'enforces policy and masquerades'),
  cluster(/^kindnet/, 'kindnet', 'enforces policy and masquerades'),
  cluster(/^kube-network-policies/, 'kube-network-policies', 'enforces NetworkPolicies'),
  cluster(/^aws-cni$/, 'aws-vpc-cni', 'translates what leaves the VPC'),
  cluster(/^istio-/, 'istio', 'redirects the pod’s connections to its proxy'),
  cluster(/^(cni_hostport|cni_plugins_masquerade)$/, 'cni-plugins', 'hostPorts and masquerading of the CNI plug-ins'),
  cluster(/^mangle-ovn-kubernetes|^ovn-kubernetes/, 'ovn-kubernetes', 'leads node traffic into OVN'),
  cluster(/^antrea/, 'antrea', 'hands packets between nftables and Open vSwitch'),
  node(/^firewalld$/, 'firewalld', 'the node’s firewall'),
  node(/^(docker-bridges)$/, 'docker', 'separates and publishes Docker’s containers'),
  node(/^(netavark|podman)/, 'podman', 'connects Podman’s containers'),
  node(/^libvirt_network$/, 'libvirt', 'connects virtual machines'),
  node(/^(f2b-table)$/, 'fail2ban', 'shuts out addresses that misbehaved'),
  node(/^crowdsec/, 'crowdsec', 'shuts out addresses that misbehaved'),
];
