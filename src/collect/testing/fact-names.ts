import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The names in `interface Facts`, read from its text: types are gone when a test runs. */
export function factNames(): readonly string[] {
  const text = readFileSync(join(import.meta.dirname, '../../snapshot/facts.ts'), 'utf8');
  const body = /interface Facts extends ProbeFacts \{(?<body>[\s\S]*?)\n\}/.exec(text)?.groups?.body ?? '';
  return [...body.matchAll(/^ {2}(?:'(?<quoted>[^']+)'|(?<bare>\w+)):/gm)].map(
    ({ groups }) => groups?.quoted ?? groups?.bare ?? '',
  );
}
