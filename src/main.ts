#!/usr/bin/env node
import { enableCompileCache } from 'node:module';
import { EXIT } from './cli/exit-codes.ts';

for (const event of ['uncaughtException', 'unhandledRejection'] as const) {
  process.on(event, (error: unknown) => {
    process.stderr.write(`podtriage: ${error instanceof Error ? error.message : String(error)}\n`);
    if (process.env['PODTRIAGE_DEBUG'] && error instanceof Error) process.stderr.write(`${error.stack}\n`);
    process.exitCode = EXIT.failed;
  });
}

// Start-up is a good part of a diagnosis's time: compiled modules are kept in Node's own cache folder
// (NODE_COMPILE_CACHE, by default below the temporary folder), which takes two thirds of it away.
enableCompileCache();

const { runProgram } = await import('./cli/program.ts');
process.exitCode = await runProgram(process.argv.slice(2));
