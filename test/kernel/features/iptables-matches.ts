import type { Feature } from '../feature.ts';
import { CHANCE_MATCHES } from './iptables-chance-matches.ts';
import { CONNECTION_MATCHES } from './iptables-connection-matches.ts';
import { matchFeature } from './iptables-core.ts';
import { HEADER_MATCHES } from './iptables-header-matches.ts';
import { IPV6_MATCHES, PLACE_MATCHES } from './iptables-place-matches.ts';
import { TRANSPORT_MATCHES } from './iptables-transport-matches.ts';

export const IPTABLES_MATCH_FEATURES: readonly Feature[] = [
  ...HEADER_MATCHES,
  ...TRANSPORT_MATCHES,
  ...CONNECTION_MATCHES,
  ...PLACE_MATCHES,
  ...IPV6_MATCHES,
  ...CHANCE_MATCHES,
].map(matchFeature);
