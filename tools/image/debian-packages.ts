import { execFile, spawn } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { promisify } from 'node:util';
import { extract, type Header } from 'tar-stream';
import type { LayerEntry } from './layer.ts';

const run = promisify(execFile);

/** A package as apt would install it on an empty system of this machine's release. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/**
 * `packages` and all that they depend on, resolved by apt against an empty system, so that what happens to be
 * installed here does not change the image, and an empty folder of fetched packages, since apt prints only what it would
 * still have to fetch. Reads apt's lists; installs nothing.
 */
export async function resolvePackages(packages: readonly string[]): Promise<DebianPackage[]> {
  const archives = await mkdtemp(join(tmpdir(), 'podtriage-apt-'));
  await mkdir(join(archives, 'partial'));
  const settings = [
    'Dir::State::status=/dev/null',
    `Dir::Cache::archives=${archives}`,
    'APT::Install-Recommends=false',
  ];
  const options = ['-qq', ...settings.flatMap((setting) => ['-o', setting]), '--print-uris'];
  const { stdout } = await run('apt-get', [...options, 'install', ...packages])
    .catch((error: Error) => {
      throw new Error(
        `apt cannot resolve ${packages.join(' ')}: ${error.message.trim()}; try \`apt-get update\` first`,
      );
    })
    .finally(() => rm(archives, { recursive: true, force: true }));
  return [...stdout.matchAll(/^'[^']*' (?<name>[^_]+)_(?<version>[^_]+)_(?<architecture>[^_]+)\.deb /gm)]
    .map(({ groups }) => ({
      name: groups!.name!,
      version: decodeURIComponent(groups!.version!),
      architecture: groups!.architecture!,
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** Fetches the packages' files into `directory` (apt checks them against its signed lists) and returns their paths. */
export async function downloadPackages(packages: readonly DebianPackage[], directory: string): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const wanted = packages.map((one) => `${one.name}=${one.version}`);
  await run('apt-get', ['-qq', 'download', ...wanted], { cwd: directory }).catch((error: Error) => {
    throw new Error(
      `apt cannot fetch the packages of the image: ${error.message.trim()}; try \`apt-get update\` first`,
    );
  });
  return packages.map((one) => `${directory}/${one.name}_${encodeVersion(one.version)}_${one.architecture}.deb`);
}

/** apt writes an epoch's colon as %3a. */
function encodeVersion(version: string): string {
  return version.replaceAll(':', '%3a');
}

/** The files of a package, on a merged /usr (bin, sbin and lib are links to their likes under /usr). */
export async function readPackage(file: string): Promise<Map<string, LayerEntry>> {
  const dpkg = spawn('dpkg-deb', ['--fsys-tarfile', file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = new Promise<number | null>((resolve, reject) => dpkg.on('error', reject).on('close', resolve));
  const entries = new Map<string, LayerEntry>();
  for await (const entry of dpkg.stdout.pipe(extract())) {
    const path = mergedPath(entry.header.name);
    const content = await buffer(entry);
    const read = path && readEntry(entry.header, content, entries);
    if (read) entries.set(path, read);
  }
  if ((await exited) !== 0) throw new Error(`dpkg-deb cannot read ${file}`);
  return entries;
}

function readEntry(header: Header, content: Uint8Array, before: Map<string, LayerEntry>): LayerEntry | undefined {
  const mode = (header.mode ?? 0o644) & 0o777; // no set-user-id program is needed here
  if (header.type === 'file') return { type: 'file', mode, content };
  if (header.type === 'symlink') return { type: 'symlink', target: header.linkname! };
  if (header.type === 'directory') return { type: 'directory', mode };
  if (header.type === 'link') return before.get(mergedPath(header.linkname!));
  return undefined;
}

function mergedPath(name: string): string {
  const path = name.replace(/^\.?\//, '').replace(/\/$/, '');
  return path === '.' ? '' : path.replace(/^(bin|sbin|lib|lib64)(?=\/|$)/, 'usr/$1');
}
