import type { CollectorLimits } from './collector.ts';

const MiB = 1 << 20;

/**
 * What a collector may take at most, by kind. What exceeds time or memory is a gap; what exceeds bytes is cut and told
 * as truncated. The helper itself has 256 MiB, so that one tool at its limit still leaves room for the node side;
 * where it has more (--helper-memory) a tool may use more by the same share.
 */
export const LIMITS = {
  /** Small tools and files. */
  common: { timeoutMs: 10_000, maxBytes: 32 * MiB },
  /** Rule sets, which can be huge: `nft -j list table` of 170,000 rules would take 1.5 GB. */
  ruleset: { timeoutMs: 10_000, maxBytes: 32 * MiB, maxMemoryBytes: 160 * MiB },
  files: { timeoutMs: 10_000, maxBytes: 8 * MiB },
  kernelLog: { timeoutMs: 5_000, maxBytes: 2 * MiB },
  podLog: { timeoutMs: 5_000, maxBytes: MiB },
  api: { timeoutMs: 10_000, maxBytes: 32 * MiB },
} as const satisfies Readonly<Record<string, CollectorLimits>>;

/** Bytes of one file of a FileReply; no file that is read is rightly larger. */
export const FILE_MAX_BYTES = 512 << 10;
/** Paths of one FileReply after its globs are expanded. */
export const FILES_MAX = 20_000;
