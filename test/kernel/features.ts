import type { Feature } from './feature.ts';
import { CONNECTION_FEATURES } from './features/connections.ts';
import { IPSET_FEATURES } from './features/ipset.ts';
import { IPTABLES_FEATURES } from './features/iptables-core.ts';
import { IPTABLES_MATCH_FEATURES } from './features/iptables-matches.ts';
import { IPTABLES_SELECTOR_FEATURES } from './features/iptables-selectors.ts';
import { IPTABLES_TARGET_FEATURES } from './features/iptables-targets.ts';
import { NAT_FEATURES } from './features/nat.ts';
import { SOCKET_FEATURES } from './features/sockets.ts';

/** Every feature that cases are made of. */
export const FEATURES: readonly Feature[] = [
  ...IPTABLES_FEATURES,
  ...IPTABLES_SELECTOR_FEATURES,
  ...IPTABLES_MATCH_FEATURES,
  ...IPTABLES_TARGET_FEATURES,
  ...NAT_FEATURES,
  ...CONNECTION_FEATURES,
  ...IPSET_FEATURES,
  ...SOCKET_FEATURES,
];
