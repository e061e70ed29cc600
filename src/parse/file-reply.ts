import { excerpt, isObject, parseJsonItems, stringOf } from './json-items.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/** One file as the node side read it, or its error (`ENOENT`); see `FileReply` in collect/collector.ts. */
export interface FileEntry {
  readonly path: string;
  readonly text?: string;
  readonly error?: string;
  readonly truncated?: boolean;
}

/**
 * The raw reply of a fact collected as files: `{"files":[{"path":…,"text":…}]}`. A file that could not be read (other
 * than ENOENT, which says that it is not there) or was cut is told in `unparsed` too, since its content is not known.
 */
export function parseFileReply(text: string): Parsed<readonly FileEntry[]> {
  const items = parseJsonItems(text);
  const value: FileEntry[] = [];
  const unparsed: UnparsedLine[] = [...items.unparsed];
  for (const item of items.value) {
    if (!Array.isArray(item.files)) {
      unparsed.push({ line: 0, text: excerpt(item) });
      continue;
    }
    for (const raw of item.files) {
      const entry = entryOf(raw);
      if (!entry) unparsed.push({ line: 0, text: excerpt(raw) });
      else value.push(entry);
    }
  }
  for (const entry of value) {
    if (entry.error !== undefined && !isAbsent(entry)) {
      unparsed.push({ line: 0, text: `${entry.path}: ${entry.error}` });
    }
    if (entry.truncated) unparsed.push({ line: 0, text: `${entry.path}: only a part was read` });
  }
  if (items.value.length === 0 && items.unparsed.length === 0) unparsed.push({ line: 0, text: '(empty reply)' });
  return { value, unparsed };
}

/** The file was looked for and does not exist. */
export function isAbsent(entry: FileEntry): boolean {
  return entry.error === 'ENOENT' || entry.error === 'ENOTDIR';
}

/** Whether a reply is a FileReply rather than a command's text. */
export function isFileReply(text: string): boolean {
  return /^\s*\{\s*"files"/.test(text);
}

function entryOf(raw: unknown): FileEntry | undefined {
  if (!isObject(raw)) return undefined;
  const path = stringOf(raw.path);
  const text = stringOf(raw.text);
  const error = stringOf(raw.error);
  if (path === undefined || (text === undefined && error === undefined)) return undefined;
  return {
    path,
    ...(text !== undefined && { text }),
    ...(error !== undefined && { error }),
    ...(raw.truncated === true && { truncated: true }),
  };
}
