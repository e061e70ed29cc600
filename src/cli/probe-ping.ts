import { Command } from 'commander';
import type { ExitCode } from './exit-codes.ts';
import { PROBE_EXIT_CODES, wholeNumber } from './probe-options.ts';
import { type RepeatOptions, repeatOptions, runRepeatedProbe } from './run-repeated-probe.ts';

/** `probe ping`: the same echo request again and again, with statistics. */
export function probePingCommand(done: (code: ExitCode) => void): Command {
  return repeatOptions(
    new Command('ping').description('ping again and again: loss, times, duplicates, ICMP errors by who sent them'),
    'ping',
  )
    .option('--size <bytes>', 'payload; the packet is 28 (IPv6: 48) bytes longer', wholeNumber(0, 65_507), 56)
    .option('--df', 'may not be fragmented on the way', false)
    .addHelpText(
      'after',
      `
Examples:
  podtriage probe ping pod/shop/web-7d9 pod/shop/api-0 --count 100
  podtriage probe ping node/worker-1 node/worker-2 --size 1472 --df
  podtriage probe ping pod/shop/web-7d9 10.244.2.7 --watch${PROBE_EXIT_CODES}`,
    )
    .action(async (source: string, destination: string, options: RepeatOptions) => {
      done(await runRepeatedProbe('ping', source, destination, options));
    });
}
