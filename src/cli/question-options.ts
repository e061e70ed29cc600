import { type Command, Option } from 'commander';
import type { QuestionWords } from '../target/resolve-question.ts';
import { addCommonOptions, type CommonOptions, portNumberOrName } from './options.ts';

/** The options of every command that is about one source and one destination. */
export interface QuestionOptions extends CommonOptions {
  readonly port?: string;
  readonly protocol?: 'tcp' | 'udp' | 'icmp' | 'sctp';
  readonly class?: string;
  readonly container?: string;
  readonly ipFamily?: '4' | '6';
}

export const DROP_REASONS_HELP =
  'also ask the nodes’ kernels why they drop packets of this flow (needs bpftrace in the node side’s image)';

export const TRACE_RULES_HELP =
  'also trace this flow through the nodes’ rules; writes a table of nftables that goes with the run';

/** The arguments and options of a question. */
export function questionOptions(
  command: Command,
  how: { readonly outputIsFile?: boolean; readonly endsMayLack?: boolean } = {},
): Command {
  const [open, close] = how.endsMayLack ? '[]' : '<>';
  return addCommonOptions(
    command
      .argument(`${open}source${close}`, 'pod/NS/NAME, deploy/NS/NAME, node/NAME, ip/ADDRESS')
      .argument(
        `${open}destination${close}`,
        'the same, svc/NS/NAME[:PORT], ADDRESS:PORT, HOST[:PORT], node/NAME:PORT',
      ),
    { outputIsFile: how.outputIsFile ?? false },
  )
    .option('--port <port>', 'destination port, number or name', portNumberOrName)
    .addOption(new Option('--protocol <name>', 'transport protocol').choices(['tcp', 'udp', 'icmp', 'sctp']))
    .option('--class <class>', 'the symptom, when you know it')
    .option('-c, --container <name>', 'container of the source pod')
    .addOption(new Option('--ip-family <family>', 'where both ends have both').choices(['4', '6']));
}

export function wordsOf(source: string, destination: string, options: QuestionOptions): QuestionWords {
  return {
    source,
    destination,
    ...(options.namespace !== undefined && { namespace: options.namespace }),
    ...(options.port !== undefined && { port: options.port }),
    ...(options.protocol !== undefined && { protocol: options.protocol }),
    ...(options.class !== undefined && { class: options.class }),
    ...(options.container !== undefined && { container: options.container }),
    ...(options.ipFamily !== undefined && { family: options.ipFamily === '6' ? (6 as const) : (4 as const) }),
  };
}
