import { isAbsent, parseFileReply } from './file-reply.ts';
import type { Parsed } from './parsed.ts';

/*
 * Format: a FileReply over files of /proc/sys.
 * Source of truth: proc_sys(5), sysctl(8): in a key, a dot within a path part is written as a slash.
 * Versions seen: Linux 6.18.
 * Not understood: nothing; values are kept as they are, without the newline. A file that is not there has no key.
 */

/** Keys with dots, an interface's own dots as slashes: `net.ipv4.conf.eth0/100.rp_filter` (sysctl(8)). */
export type Sysctls = Readonly<Record<string, string>>;

const ROOT = '/proc/sys/';

export function parseSysctls(text: string): Parsed<Sysctls> {
  const files = parseFileReply(text);
  const value: Record<string, string> = {};
  const unparsed = [...files.unparsed];
  for (const file of files.value) {
    const key = sysctlKey(file.path);
    if (key === undefined) unparsed.push({ line: 0, text: file.path });
    else if (file.text !== undefined && !isAbsent(file) && !file.truncated) value[key] = file.text.trimEnd();
  }
  return { value, unparsed };
}

function sysctlKey(path: string): string | undefined {
  const at = path.indexOf(ROOT);
  if (at < 0 || at + ROOT.length === path.length) return undefined;
  return path
    .slice(at + ROOT.length)
    .split('/')
    .map((part) => part.replaceAll('.', '/'))
    .join('.');
}
