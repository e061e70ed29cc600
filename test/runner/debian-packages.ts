import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { command } from '../../lab/command.ts';
import { inherit } from './inherit.ts';

const LIST = join(import.meta.dirname, '..', '..', 'lab', 'debian-packages.txt');

const wanted = async (): Promise<readonly string[]> => {
  const lines = (await readFile(LIST, 'utf8')).split('\n').map((line) => line.trim());
  return lines.filter((line) => line && !line.startsWith('#'));
};

/** Packages of the list that this machine does not have installed. */
export const missingPackages = async (): Promise<readonly string[]> => {
  const names = await wanted();
  // biome-ignore lint/suspicious/noTemplateCurlyInString: dpkg-query's own placeholders
  const format = ['--show', '--showformat', '${Package} ${db:Status-Status}\n'];
  const { stdout } = await command(['dpkg-query', ...format, ...names]);
  const installed = new Set(
    stdout.split('\n').flatMap((line) => /^(?<name>\S+) installed$/.exec(line)?.groups?.name ?? []),
  );
  return names.filter((name) => !installed.has(name));
};

/** Installs what is missing of the list; why it could not, in one line, or undefined. Only for root on a Debian. */
export const installPackages = async (): Promise<string | undefined> => {
  const missing = await missingPackages();
  if (missing.length === 0) return undefined;
  process.stdout.write(`installing ${missing.join(' ')}\n`);
  const quiet = { DEBIAN_FRONTEND: 'noninteractive' };
  const apt = ['apt-get', '-q', '-y', '-o', 'Dpkg::Use-Pty=0', '-o', 'Acquire::Retries=3'];
  await inherit([...apt, 'update'], quiet); // a mirror that fails may not be the one that has these
  const code = await inherit([...apt, 'install', '--no-install-recommends', ...missing], quiet);
  return code === 0 ? undefined : `apt-get install ${missing.join(' ')} ended with ${code}`;
};
