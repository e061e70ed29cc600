import type { Address } from '../net/address.ts';

/** resolv.conf(5). glibc reads three nameservers at most; all are kept here, in order. */
export interface ResolvConf {
  readonly nameservers: readonly Address[];
  readonly search: readonly string[];
  readonly options: Readonly<Record<string, string>>; // ndots: '5', timeout …; a flag has ''
}
