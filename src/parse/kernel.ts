import { type FileEntry, isFileReply, parseFileReply } from './file-reply.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Formats: a FileReply over /proc/sys/kernel/osrelease (or /proc/version), /etc/os-release (or /usr/lib/os-release)
 * and /proc/stat; the kernel log as `dmesg` prints it, as /dev/kmsg records, or as a FileReply over such a file.
 * Source of truth: os-release(5), proc_stat(5), dmesg(1), Documentation/ABI/testing/dev-kmsg.
 * Versions seen: Linux 6.18, util-linux 2.38; systemd's os-release.
 * Not understood: `dmesg -T`'s wall-clock times, kept as text without a time.
 */

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

export function parseKernel(text: string): Parsed<KernelInfo> {
  const files = parseFileReply(text);
  const unparsed: UnparsedLine[] = [...files.unparsed];
  const release = releaseOf(files.value);
  if (release === undefined) unparsed.push({ line: 0, text: '(no kernel release)' });
  const osRelease = prettyNameOf(files.value);
  const boot = /^btime (?<seconds>\d+)$/m.exec(textOf(files.value, '/proc/stat') ?? '')?.groups?.seconds;
  return {
    value: {
      release: release ?? '',
      ...(osRelease !== undefined && { osRelease }),
      ...(boot !== undefined && { bootTimeS: Number(boot) }),
    },
    unparsed,
  };
}

function releaseOf(files: readonly FileEntry[]): string | undefined {
  const direct = textOf(files, '/kernel/osrelease')?.trim();
  if (direct) return direct;
  return /^Linux version (?<release>\S+)/.exec(textOf(files, '/proc/version') ?? '')?.groups?.release;
}

function prettyNameOf(files: readonly FileEntry[]): string | undefined {
  for (const file of files) {
    if (!file.path.endsWith('/os-release') || file.text === undefined) continue;
    const value = /^PRETTY_NAME=(?<value>.*)$/m.exec(file.text)?.groups?.value?.trim();
    if (value) return value.replace(/^(["'])(.*)\1$/, '$2');
  }
  return undefined;
}

function textOf(files: readonly FileEntry[], ending: string): string | undefined {
  return files.find((file) => file.path.endsWith(ending) && file.text !== undefined)?.text;
}

export function parseKernelLog(text: string): Parsed<readonly KernelLogLine[]> {
  if (!isFileReply(text)) return { value: logLines(text), unparsed: [] };
  const files = parseFileReply(text);
  return { value: files.value.flatMap((file) => logLines(file.text ?? '')), unparsed: files.unparsed };
}

const DMESG = /^(?:<\d+>)?\[\s*(?<seconds>\d+\.\d+)\]\s?(?<text>.*)$/;
const KMSG = /^\d+,\d+,(?<microseconds>\d+),[^;]*;(?<text>.*)$/;

/** Any line is a line of the log; only its time may be missing. A record's continuation lines begin with a space. */
function logLines(text: string): readonly KernelLogLine[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const dmesg = DMESG.exec(line)?.groups;
      if (dmesg) return { text: dmesg.text!, atS: Number(dmesg.seconds) };
      const kmsg = KMSG.exec(line)?.groups;
      if (kmsg) return { text: kmsg.text!, atS: Number(kmsg.microseconds) / 1e6 };
      return { text: line.trimEnd() };
    });
}
