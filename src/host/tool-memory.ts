/** What a helper may use where nobody says otherwise; the collectors' limits (collect/limits.ts) are made for it. */
export const HELPER_MEBIBYTES = 256;
/** Tells the node side what its helper may use, in MiB. */
export const MEMORY_VARIABLE = 'PODTRIAGE_MEMORY_MIB';

/** By how much a tool's limit of memory is above a collector's, in a helper that may use more than usual. */
export function toolMemoryFactor(variable: string | undefined): number {
  const mebibytes = Number(variable);
  return Number.isFinite(mebibytes) && mebibytes > HELPER_MEBIBYTES ? mebibytes / HELPER_MEBIBYTES : 1;
}
