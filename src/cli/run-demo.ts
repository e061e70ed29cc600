import { readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { createReplayHost } from '../host/replay.ts';
import { renderText } from '../report/text.ts';
import { decodeBundle } from '../snapshot/bundle.ts';
import { triage } from '../triage.ts';
import { UsageError } from './exit-codes.ts';
import { wantsColor } from './print-report.ts';
import { wordsOfArguments } from './words-of-arguments.ts';

/** The bundled cases lie beside the source, or beside dist/ in the published package. */
function scenariosFolder(): string {
  for (const path of ['../../scenarios', '../../../scenarios']) {
    const folder = resolve(import.meta.dirname, path);
    try {
      readdirSync(folder);
      return folder;
    } catch {
      // try the next
    }
  }
  throw new Error('the bundled cases are missing from this installation');
}

interface Expectation {
  readonly question: readonly string[];
}

/** Diagnoses the bundled recordings of a real cluster: a report each, then a line each. */
export async function runDemo(only: string | undefined): Promise<void> {
  const folder = scenariosFolder();
  const all = readdirSync(folder)
    .filter((name) => isRecorded(folder, name))
    .sort();
  const wanted = only === undefined ? all : all.filter((name) => name === only);
  if (wanted.length === 0) throw new UsageError(`no bundled case ${only ?? ''}; there are ${all.join(', ')}`);
  const lines: string[] = [];
  for (const name of wanted) {
    const { text, line } = await demoReport(folder, name);
    process.stdout.write(text);
    lines.push(line);
  }
  if (wanted.length > 1) process.stdout.write(`${RULE}\n${lines.join('\n')}\n`);
}

const RULE = '─'.repeat(100);

function isRecorded(folder: string, name: string): boolean {
  try {
    return readdirSync(`${folder}/${name}`).includes('bundle.tar.gz');
  } catch {
    return false;
  }
}

async function demoReport(folder: string, name: string): Promise<{ readonly text: string; readonly line: string }> {
  const bundle = await decodeBundle(readFileSync(`${folder}/${name}/bundle.tar.gz`));
  const expectation = JSON.parse(readFileSync(`${folder}/${name}/expect.json`, 'utf8')) as Expectation;
  const story = readFileSync(`${folder}/${name}/story.md`, 'utf8')
    .replace(/^#.*\n+/, '')
    .split('\n\n')[0]!;
  const outcome = await triage(createReplayHost(bundle.replies), wordsOfArguments(expectation.question), {
    probe: true,
    capture: { sleep: async () => {}, dropReasons: true, traceRules: true },
    signal: new AbortController().signal,
    tell: () => {},
    notes: [],
    prepare: () => {},
  });
  const title = `${RULE}\n${name}: ${story.replaceAll('\n', ' ')}\n$ podtriage diagnose ${expectation.question.join(' ')}\n\n`;
  if (outcome.kind === 'problem')
    return { text: `${title}${outcome.problem.problem}\n`, line: `${name.padEnd(44)}${outcome.problem.problem}` };
  const { report } = outcome;
  const options = { color: wantsColor(), columns: process.stdout.columns ?? 100, verbose: false };
  const causes = report.causes.map((cause) => `${cause.id} (${cause.confidence})`).join(', ');
  return {
    text: `${title}${renderText(report, options)}\n`,
    line: `${name.padEnd(44)}${report.verdict.padEnd(14)}${causes}`,
  };
}
