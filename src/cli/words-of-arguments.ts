import { Command } from 'commander';
import type { QuestionWords } from '../target/resolve-question.ts';
import { type QuestionOptions, questionOptions, wordsOf } from './question-options.ts';

/** The question of a recorded case, from the arguments that `diagnose` was given. */
export function wordsOfArguments(args: readonly string[]): QuestionWords {
  const command = questionOptions(new Command()).exitOverride();
  command.parse([...args], { from: 'user' });
  const [source = '', destination = ''] = command.args;
  return wordsOf(source, destination, command.opts<QuestionOptions>());
}
