import type { Scalar } from '../host/host.ts';

/**
 * The names that `Step.values` uses, by the step's kind, so that causes read fields and never text. A field that does
 * not apply is left out.
 *
 * | kind      | values |
 * | --------- | ------ |
 * | rule      | backend (iptables-nft, iptables-legacy, nft) · family · hook · table · chain · ruleNumber · handle (nft) · ruleText · target · verdict (drop, reject, accept, queue …, where it ends the walk through the table) · packets · bytes · undecided (names of the matches or target that were not decided) · probability · failed (of a rule that was passed over: the first test that said no) · question (what it drops is a neighbour's question or answer, not the packet) |
 * | policy    | backend · family · hook · table · chain · policy (ACCEPT, DROP) · packets |
 * | filter    | backend · table · chain · reason (unparsed, tc, xdp) · device · program |
 * | route     | table (number) · type · destination (prefix) · via · device · metric · preferredSource · protocol · rulePriority · ruleText · routeText · mtu · reason (no-match, source) · address (what was looked up) · purpose (forward, output, input, reverse) |
 * | neighbour | device · address · mac · state (PERMANENT … or '' when there is no entry) · by (entry, owner, proxy, assumed) · ownerMac · reason (no-owner, failed, wrong-mac, filtered: a rule keeps the question or the answer) |
 * | bridge    | bridge · port · inputPort · mac · by (local, fdb, learnt, flood, bridged-dnat) · vlan · state · hairpin · isolated · reason (hairpin-off, isolated, port-state, no-port, vlan: not of this VLAN, locked: the port knows not the sender, flood-off: its MAC is not known and it gets no flooded frames) |
 * | tunnel    | tunnel (the device's kind: vxlan, geneve, ipip, sit, gre, gretap, ip6tnl, wireguard) · device · act (encapsulate, decapsulate, drop) · vni · key · port · local · remote · mac · ownMac · peer (WireGuard: a public key) · reason (no-fdb-entry, vni-unknown, own-source-mac, source-moved, circular, too-big, protocol, no-tunnel, no-peer, no-endpoint, peer-unknown, source-not-allowed) |
 * | conntrack | state (invalid; existing: the line of the table is the source; full: count, max; device-changed; clash) · zone |
 * | nat       | nat (source, destination) · from · to · by (rule, reversal, connection, clash: another connection has the source port, ipvs) · scheduler, forwarding, service (ipvs) · reason (no-server) · masquerade · redirect |
 * | mtu       | device · mtu · lengthBytes · df · act (too-big, fragmented, dropped-silently, exceeds: over the receiving NIC's MTU, not known whether it is taken) |
 * | socket    | protocol · address · port · boundTo · process · pid · by (listener, connection, kernel) · reason (none, other-address, other-device, v6only, accept-queue-full) · waiting, waitingMax (connections that nobody has accepted, how many may wait) · from, expected (of an answer: where it comes from, and where the client sent to) |
 * | sysctl    | key · value · effective · needed · check (forwarding, rp_filter, route_localnet, martian, accept_local, icmp_echo_ignore_all) · device · source · routeDevice |
 * | link      | device · up · carrier · operstate · mac · destinationMac · via · source · destination · reason (down, no-carrier, peer-missing, other-host, underlay, ttl, loop, tproxy: given to a socket here, but routed on, vlan: no device for its tag, spare-port: of an active-backup bond, private: an ipvlan, process: a tun device's, discards: a dummy device's) |
 */
export type StepValues = Readonly<Record<string, Scalar>>;
