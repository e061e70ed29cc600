import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { terminalCommand } from './terminal-command.ts';

it('hands every word to the command as it is', () => {
  const words = ['it’s', "it's", '$HOME `id` "x"', '', 'a b', '\\n', '*'];
  const command = terminalCommand(['printf', '<%s>', ...words], '30x100');
  const line = command[command.indexOf('--command') + 1]!.replace(/^stty [^;]*; /, '');
  expect(execFileSync('sh', ['-c', line], { encoding: 'utf8' })).toBe(words.map((word) => `<${word}>`).join(''));
});

it('sets the size that the user’s terminal has, and none that is no size', () => {
  expect(terminalCommand(['ip'], '30x100')).toContain("stty rows 30 cols 100; exec 'ip'");
  expect(terminalCommand(['ip'], '$(id)')).toContain("exec 'ip'");
});
