import type { FileReply } from '../collect/collector.ts';
import { FILE_MAX_BYTES } from '../collect/limits.ts';

/*
 * /proc/net and /proc/sys/net show the network namespace of the process that opens them, so they are read by grep(1)
 * from inside: `path NUL line` for each line, and `grep: path: reason` for what cannot be read.
 */

/** The shell expands the patterns; printf is its own, so their number has no limit. */
export const READ_PROC_FILES = 'printf "%s\\0" $1 | xargs -0 grep -aHZ "" --';

export function readProcFilesArgv(patterns: readonly string[]): readonly string[] {
  return ['sh', '-c', READ_PROC_FILES, 'sh', patterns.join('\n')];
}

const ERRNOS: Readonly<Record<string, string>> = {
  'No such file or directory': 'ENOENT',
  'Permission denied': 'EACCES',
  'Operation not permitted': 'EPERM',
  'Is a directory': 'EISDIR',
  'Input/output error': 'EIO',
  'Invalid argument': 'EINVAL',
  'Not a directory': 'ENOTDIR',
};

/** What grep printed, as the reply of the files that were asked for. A file without a line and without an error is empty. */
export function fileReplyOfGrep(
  stdout: string,
  stderr: string,
  patterns: readonly string[],
  truncated: boolean,
): FileReply {
  const texts = linesByPath(stdout);
  const errors = errorsByPath(stderr);
  const files: FileReply['files'][number][] = [];
  for (const [path, lines] of texts) files.push(entryOf(path, lines));
  for (const [path, error] of errors) files.push({ path, error });
  for (const path of patterns) {
    if (path.includes('*') || texts.has(path) || errors.has(path)) continue;
    files.push(truncated ? { path, error: 'EFBIG' } : { path, text: '' });
  }
  if (truncated && files.length > 0) return { files: markLastText(files, texts.size - 1) };
  return { files };
}

function linesByPath(stdout: string): Map<string, string[]> {
  const texts = new Map<string, string[]>();
  for (const line of stdout.split('\n')) {
    const end = line.indexOf('\0');
    if (end < 0) continue;
    const path = line.slice(0, end);
    const lines = texts.get(path) ?? [];
    if (lines.length === 0) texts.set(path, lines);
    lines.push(line.slice(end + 1));
  }
  return texts;
}

function errorsByPath(stderr: string): Map<string, string> {
  const errors = new Map<string, string>();
  for (const line of stderr.split('\n')) {
    const match = /^grep: (?<path>\/.*?): (?<reason>[A-Z][^:]*)$/.exec(line);
    const { path, reason } = match?.groups ?? {};
    if (path !== undefined && reason !== undefined) errors.set(path, ERRNOS[reason] ?? reason);
  }
  return errors;
}

function entryOf(path: string, lines: readonly string[]): FileReply['files'][number] {
  const text = `${lines.join('\n')}\n`;
  return text.length > FILE_MAX_BYTES ? { path, text: text.slice(0, FILE_MAX_BYTES), truncated: true } : { path, text };
}

function markLastText(files: readonly FileReply['files'][number][], last: number): FileReply['files'] {
  return files.map((file, n) => (n === last ? { ...file, truncated: true } : file));
}
