/** /proc/net/stat/nf_conntrack summed over the CPUs, with the table's fill: nf_conntrack_count and _max. */
export interface ConntrackStatistics {
  readonly count?: number;
  readonly max?: number;
  readonly counters: Readonly<Record<string, number>>; // found, invalid, insert, insert_failed, drop, early_drop …
}
