/** What kernel and tools a node has. */
export interface KernelInfo {
  readonly release: string; // uname -r
  readonly osRelease?: string; // PRETTY_NAME
  readonly bootTimeS?: number;
}

/** Lines of the kernel log that matter to networking, newest last. */
export interface KernelLogLine {
  readonly text: string;
  readonly atS?: number; // seconds since boot
}
