import type { Reply } from '../../src/host/host.ts';
import { type Asked, replyOf } from './collect-case.ts';
import type { DriverStep } from './steps-of-case.ts';

type Result = Readonly<Record<string, unknown>>;

/** How the driver gets what is asked. */
export interface Reading {
  readonly steps: readonly DriverStep[];
  /** From the results of the steps, in the order in which was asked. */
  readonly repliesOf: (results: readonly Result[]) => readonly Reply[];
}

/** One step and the questions that it answers. */
interface Group {
  readonly step: DriverStep;
  readonly asks: readonly Asked[];
}

/**
 * A step for each question; those to ip(8) with the same options are one: it takes commands by lines (-batch), and what it prints of
 * each is one line, the same as it is alone.
 */
export function readingOf(asks: readonly Asked[]): Reading {
  const groups = [...Map.groupBy(asks, (asked) => batchKey(asked) ?? asked).values()].flatMap(groupsOf);
  return {
    steps: groups.map(({ step }) => step),
    repliesOf: (results) => {
      const replies = new Map(groups.flatMap((group, index) => answersOf(group, results[index]!)));
      return asks.map((asked) => replies.get(asked) ?? replyOf(asked.request, asked.text ?? '', 0));
    },
  };
}

function groupsOf(asks: readonly Asked[]): readonly Group[] {
  const [first] = asks;
  if (!first?.step) return [];
  if (asks.length === 1) return [{ step: first.step, asks }];
  const { options } = ipCommand(first)!;
  const input = asks.map((asked) => `${ipCommand(asked)!.command}\n`).join('');
  return [{ step: { do: 'run', ns: first.step.ns, argv: ['ip', ...options, '-batch', '-'], input }, asks }];
}

interface IpCommand {
  readonly options: readonly string[];
  readonly command: string;
}

function ipCommand({ step }: Asked): IpCommand | undefined {
  const argv = step && 'argv' in step ? (step.argv as readonly string[]) : [];
  if (argv[0] !== 'ip' || step?.input !== undefined) return undefined;
  const at = argv.findIndex((word, index) => index > 0 && !word.startsWith('-'));
  return { options: argv.slice(1, at), command: argv.slice(at).join(' ') };
}

function batchKey(asked: Asked): string | undefined {
  const command = ipCommand(asked);
  return command && `${asked.step!.ns} ${command.options.join(' ')}`;
}

function answersOf({ asks }: Group, result: Result): readonly (readonly [Asked, Reply])[] {
  if (asks.length === 1) {
    const [asked] = asks as [Asked];
    const reply =
      'files' in result
        ? replyOf(asked.request, JSON.stringify({ files: result.files }), 0)
        : replyOf(asked.request, String(result.out), Number(result.code));
    return [[asked, reply]];
  }
  const lines = String(result.out).split('\n');
  const isWhole = lines.length === asks.length + 1;
  if (!isWhole) throw new Error(`ip -batch gave ${lines.length - 1} answers to ${asks.length} questions`);
  return asks.map((asked, index) => [asked, replyOf(asked.request, `${lines[index]}\n`, Number(result.code))]);
}
