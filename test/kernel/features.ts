import type { Feature } from './feature.ts';
import { IPTABLES_FEATURES } from './features/iptables-core.ts';

/** Every feature that cases are made of. */
export const FEATURES: readonly Feature[] = [...IPTABLES_FEATURES];
