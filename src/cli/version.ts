import { readFileSync } from 'node:fs';

/** podtriage's own version, from package.json. */
export function podtriageVersion(): string {
  // The build lies one folder deeper than the source.
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      // try the next
    }
  }
  return '0.0.0';
}
