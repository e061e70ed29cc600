import type { Feature } from './feature.ts';
import { ARP_FEATURES } from './features/arp.ts';
import { BROADCAST_FEATURES } from './features/broadcasts.ts';
import { CONNECTION_FEATURES } from './features/connections.ts';
import { ENTRY_FEATURES } from './features/entries.ts';
import { IPSET_FEATURES } from './features/ipset.ts';
import { IPTABLES_FEATURES } from './features/iptables-core.ts';
import { IPTABLES_MATCH_FEATURES } from './features/iptables-matches.ts';
import { IPTABLES_SELECTOR_FEATURES } from './features/iptables-selectors.ts';
import { IPTABLES_TARGET_FEATURES } from './features/iptables-targets.ts';
import { LAYER2_FEATURES } from './features/layer2.ts';
import { MACVLAN_FEATURES } from './features/macvlan.ts';
import { NAT_FEATURES } from './features/nat.ts';
import { NEIGHBOUR_RULE_FEATURES } from './features/neighbour-rules.ts';
import { NEIGHBOUR_FEATURES } from './features/neighbours.ts';
import { NFT_FRAME_FEATURES } from './features/nft-frames.ts';
import { NFT_MATCH_FEATURES } from './features/nft-matches.ts';
import { NFT_NAT_FEATURES } from './features/nft-nat.ts';
import { NFT_STATEMENT_FEATURES } from './features/nft-statements.ts';
import { POLICY_FEATURES } from './features/policies.ts';
import { PROGRAM_FEATURES } from './features/programs.ts';
import { ROUTE_SYSCTL_FEATURES } from './features/route-sysctls.ts';
import { ROUTE_FEATURES } from './features/routes.ts';
import { RULE_FEATURES } from './features/rules.ts';
import { SOCKET_FEATURES } from './features/sockets.ts';
import { TUNNEL_FEATURES } from './features/tunnels.ts';

/** Every feature that cases are made of. */
export const FEATURES: readonly Feature[] = [
  ...IPTABLES_FEATURES,
  ...IPTABLES_SELECTOR_FEATURES,
  ...IPTABLES_MATCH_FEATURES,
  ...IPTABLES_TARGET_FEATURES,
  ...POLICY_FEATURES,
  ...PROGRAM_FEATURES,
  ...NAT_FEATURES,
  ...NFT_NAT_FEATURES,
  ...CONNECTION_FEATURES,
  ...ENTRY_FEATURES,
  ...IPSET_FEATURES,
  ...ROUTE_FEATURES,
  ...BROADCAST_FEATURES,
  ...RULE_FEATURES,
  ...ROUTE_SYSCTL_FEATURES,
  ...SOCKET_FEATURES,
  ...LAYER2_FEATURES,
  ...ARP_FEATURES,
  ...NEIGHBOUR_FEATURES,
  ...NEIGHBOUR_RULE_FEATURES,
  ...MACVLAN_FEATURES,
  ...TUNNEL_FEATURES,
  ...NFT_FRAME_FEATURES,
  ...NFT_MATCH_FEATURES,
  ...NFT_STATEMENT_FEATURES,
];
