import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { command } from '../../command.ts';

export interface GoTool {
  readonly path: string;
  /** `1.26.8` */
  readonly version: string;
}

/** Numeric comparison of dotted versions: negative, zero or positive. */
export const compareVersions = (a: string, b: string): number => {
  const left = a.split('.').map(Number);
  const right = b.split('.').map(Number);
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Every go command on PATH and in the place where Go's own archive installs it: Debian's old one may come first. */
const candidates = async (): Promise<readonly string[]> => {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/local/go/bin'];
  const paths = [...new Set(folders.filter(Boolean).map((folder) => join(folder, 'go')))];
  const there = await Promise.all(paths.map(exists));
  return paths.filter((_, i) => there[i]);
};

const probe = async (path: string): Promise<GoTool | undefined> => {
  const { code, stdout } = await command([path, 'env', 'GOVERSION'], { timeoutMs: 20_000 });
  const version = /^go(?<version>\d+(\.\d+)+)/.exec(stdout.trim())?.groups?.version;
  return code === 0 && version ? { path, version } : undefined;
};

/** The newest Go on this machine; undefined where there is none. */
export const findGo = async (): Promise<GoTool | undefined> => {
  const found = await Promise.all((await candidates()).map(probe));
  return found.filter((go) => go !== undefined).sort((a, b) => compareVersions(b.version, a.version))[0];
};
