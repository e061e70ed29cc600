import { Command, CommanderError } from 'commander';
import { captureCommand } from './capture.ts';
import { collectCommand } from './collect.ts';
import { demoCommand } from './demo.ts';
import { diagnoseCommand } from './diagnose.ts';
import { execCommand } from './exec.ts';
import { EXIT, type ExitCode, RunError, UsageError } from './exit-codes.ts';
import { explainCommand } from './explain.ts';
import { probeCommand } from './probe.ts';
import { simulateCommand } from './simulate.ts';
import { podtriageVersion } from './version.ts';
import { workflowCommand } from './workflow.ts';

/** Runs one command line and answers its exit code (`exec`: its command's); never throws. */
export async function runProgram(argv: readonly string[]): Promise<number> {
  let code: number = EXIT.healthy;
  const done = (result: number): void => {
    code = result;
  };
  const program = new Command('podtriage')
    .description('Why can’t this pod reach that? Names class, root cause, proof and fix.')
    .version(podtriageVersion())
    // So that `exec` gets its `--`, and what follows it, as they are.
    .enablePositionalOptions()
    .exitOverride()
    .showSuggestionAfterError()
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, 'podtriage: ')) });
  for (const command of [
    diagnoseCommand(done),
    collectCommand(done),
    simulateCommand(done),
    captureCommand(done),
    probeCommand(done),
    execCommand(done),
    explainCommand(done),
    workflowCommand(done),
    demoCommand(done),
  ]) {
    program.addCommand(command.exitOverride());
  }
  try {
    await program.parseAsync([...argv], { from: 'user' });
    return code;
  } catch (error) {
    return exitCodeForError(error);
  }
}

function exitCodeForError(error: unknown): ExitCode {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.healthy : EXIT.usage;
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`podtriage: ${message}\n`);
  if (error instanceof UsageError) return EXIT.usage;
  if (!(error instanceof RunError) && error instanceof Error && process.env['PODTRIAGE_DEBUG'])
    process.stderr.write(`${error.stack}\n`);
  return EXIT.failed;
}
