import { Command } from 'commander';
import type { ExitCode } from './exit-codes.ts';
import { probeDnsCommand } from './probe-dns.ts';
import { probeMtuCommand } from './probe-mtu.ts';
import { probePingCommand } from './probe-ping.ts';
import { probeTcpCommand } from './probe-tcp.ts';

/** `probe tcp`, `probe ping` and their like: tried from the source's own network namespace, each in a file of its own. */
export function probeCommand(done: (code: ExitCode) => void): Command {
  return new Command('probe')
    .description('try it again and again from the source’s own network: loss, times, what it met')
    .addCommand(probeTcpCommand(done).exitOverride())
    .addCommand(probePingCommand(done).exitOverride())
    .addCommand(probeMtuCommand(done).exitOverride())
    .addCommand(probeDnsCommand(done).exitOverride());
}
