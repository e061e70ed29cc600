import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { causes } from '../causes/index.ts';
import { nearNames } from '../target/near-names.ts';
import { EXIT, type ExitCode, UsageError } from './exit-codes.ts';

/** `explain [ID]`: a page of the knowledge base, or the list of all causes. */
export function explainCommand(done: (code: ExitCode) => void): Command {
  return new Command('explain')
    .description('what a root cause is, how it is told and mended; without an id, the list of all')
    .argument('[id]', 'a cause’s id, as in a report')
    .action((id: string | undefined) => {
      process.stdout.write(id === undefined ? listOfCauses() : pageOf(id));
      done(EXIT.healthy);
    });
}

function listOfCauses(): string {
  const byClass = Map.groupBy(causes, (cause) => cause.class);
  return [...byClass]
    .map(([name, all]) => `${name}\n${all.map((cause) => `  ${cause.id.padEnd(36)}${cause.title}\n`).join('')}`)
    .join('\n');
}

function pageOf(id: string): string {
  const cause = causes.find((candidate) => candidate.id === id);
  if (!cause) {
    const near = nearNames(
      id,
      causes.map((candidate) => candidate.id),
    );
    throw new UsageError(
      `no cause has the id "${id}"${near.length > 0 ? `; did you mean ${near.join(', ')}?` : '; "podtriage explain" lists all'}`,
    );
  }
  // dist/ has no pages of its own: they are read from the source tree, which the package ships beside it.
  for (const base of ['../causes', '../../../src/causes']) {
    try {
      return readFileSync(new URL(`${base}/${cause.class}/${id}.md`, import.meta.url), 'utf8');
    } catch {
      // try the next
    }
  }
  return `${id}: ${cause.title}\n`;
}
