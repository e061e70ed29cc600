/** `tc -s -j qdisc show` (tc(8)). */
export interface Qdisc {
  readonly device: string;
  readonly kind: string;
  readonly handle: string;
  readonly parent?: string;
  readonly root: boolean;
  readonly bytes: number;
  readonly packets: number;
  readonly drops: number;
  readonly overlimits: number;
  readonly backlog: number;
}
