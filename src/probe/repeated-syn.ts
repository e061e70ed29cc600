/** Connections that took about as long as the kernel waits before it sends a SYN again. */
export interface RepeatedSyn {
  /** Since the first SYN: when the one that got through was sent. */
  readonly aroundMs: number;
  readonly count: number;
}

/**
 * When Linux sends a SYN again, in ms after the first: at first after 1 s (TCP_TIMEOUT_INIT, include/net/tcp.h), then doubling,
 * 1 3 7 15; since Linux 6.5 the first ones in steps of 1 s (net.ipv4.tcp_syn_linear_timeouts, 4), 1 2 3 4 5, and then
 * 7 11 19 (net/ipv4/tcp_timer.c, tcp_retransmit_timer; Documentation/networking/ip-sysctl.rst).
 */
const SENT_AGAIN_MS = [1_000, 2_000, 3_000, 4_000, 5_000, 7_000, 11_000, 15_000, 19_000] as const;
/** A timer may be that much early to a clock of ours, and the way there and back takes its time after it. */
const EARLY_MS = 15;
const LATE_MS = 250;

/** Which of these connect times tell of a SYN, or the answer to it, that was lost. A path with round trips near 1 s would look alike. */
export function repeatedSyns(timesMs: readonly number[]): readonly RepeatedSyn[] {
  return SENT_AGAIN_MS.flatMap((aroundMs) => {
    const count = timesMs.filter((time) => time >= aroundMs - EARLY_MS && time < aroundMs + LATE_MS).length;
    return count > 0 ? [{ aroundMs, count }] : [];
  });
}
