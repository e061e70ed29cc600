import { Command } from 'commander';
import { EXIT, type ExitCode } from './exit-codes.ts';
import { runDemo } from './run-demo.ts';

/** `demo`: diagnoses the bundled cases with no cluster and no root, and prints the reports a user would see. */
export function demoCommand(done: (code: ExitCode) => void): Command {
  return new Command('demo')
    .description('diagnose the bundled cases: no cluster, no root')
    .argument('[case]', 'only this case')
    .action(async (name: string | undefined) => {
      await runDemo(name);
      done(EXIT.healthy);
    });
}
