import { Command } from 'commander';
import type { ExitCode } from './exit-codes.ts';
import { PROBE_EXIT_CODES, wholeNumber } from './probe-options.ts';
import { type RepeatOptions, repeatOptions, runRepeatedProbe } from './run-repeated-probe.ts';

/** `probe tcp`: connects again and again, with statistics; each backend of a Service by itself as well. */
export function probeTcpCommand(done: (code: ExitCode) => void): Command {
  return repeatOptions(
    new Command('tcp').description(
      'connect again and again: loss, connect times, refusals, time-outs; each backend of a Service by itself as well',
    ),
    'tcp',
  )
    .option('--source-port <port>', 'every connection from this port, one after the other', wholeNumber(1, 65_535))
    .addHelpText(
      'after',
      `
Examples:
  podtriage probe tcp pod/shop/web-7d9 svc/shop/api:80
  podtriage probe tcp pod/shop/web-7d9 10.244.2.7:5432 --count 200 --interval 50
  podtriage probe tcp pod/shop/web-7d9 svc/shop/api:80 --watch${PROBE_EXIT_CODES}`,
    )
    .action(async (source: string, destination: string, options: RepeatOptions) => {
      done(await runRepeatedProbe('tcp', source, destination, options));
    });
}
