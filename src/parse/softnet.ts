/** /proc/net/softnet_stat, one per CPU (net/core/net-procfs.c). Counts are of the whole machine. */
export interface Softnet {
  readonly processed: number;
  readonly dropped: number;
  readonly timeSqueeze: number;
}
