#!/usr/bin/env node
import { EXIT } from './cli/exit-codes.ts';
import { runProgram } from './cli/program.ts';

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    process.stderr.write(`podtriage: ${error instanceof Error ? error.message : String(error)}\n`);
    if (process.env['PODTRIAGE_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    process.exitCode = EXIT.failed;
  });
}

process.exitCode = await runProgram(process.argv.slice(2));
