import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join, posix, relative } from 'node:path';
import { promisify } from 'node:util';
import { type Layer, type LayerEntries, type LayerEntry, writeLayer } from './layer.ts';

const run = promisify(execFile);

/** Where the program stands in the image, and the files that a helper starts (deploy/podtriage-agent). */
const APP_ROOT = 'opt/podtriage';
const ENTRIES = 'dist/src/agent';

/** What a helper's pod runs (deploy/). */
const SCRIPTS = ['podtriage-agent', 'podtriage-exec', 'podtriage-idle'];

/** `import … from 'x'`, `export … from 'x'`, `import 'x'` and `import('x')` of emitted JavaScript. */
const IMPORT =
  /(?:^|\s|;)(?:import|export)\s(?:[^'";]*?\sfrom\s)?['"](?<named>[^'"]+)['"]|import\(['"](?<lazy>[^'"]+)['"]\)/g;

export async function appLayer(repository: string, cache: string): Promise<Layer> {
  return writeLayer(join(cache, 'app.tar.gz'), await appEntries(repository));
}

/** The node side: what its entries import and nothing else, built from src/ now. */
export async function appEntries(repository: string): Promise<LayerEntries> {
  const build = await mkdtemp(join(tmpdir(), 'podtriage-build-'));
  try {
    await compile(repository, build);
    const entries = new Map<string, LayerEntry>();
    const packages = await addModules(build, entries);
    await addPackages(repository, packages, entries);
    for (const script of SCRIPTS) {
      const content = await readFile(join(repository, 'deploy', script));
      entries.set(`usr/bin/${script}`, { type: 'file', mode: 0o755, content });
    }
    entries.set(`${APP_ROOT}/package.json`, file(await readFile(join(repository, 'package.json'))));
    return entries;
  } finally {
    await rm(build, { recursive: true, force: true });
  }
}

/** The compiler writes JavaScript even where types are wrong; `npm run check` is where types are judged. */
async function compile(repository: string, build: string): Promise<void> {
  const compiler = join(repository, 'node_modules/typescript/bin/tsc');
  const args = [compiler, '-p', join(repository, 'tsconfig.build.json'), '--outDir', join(build, 'dist')];
  const complaint = await run(process.execPath, args, { cwd: repository }).then(
    () => '',
    (error: { stdout?: string }) => error.stdout ?? String(error),
  );
  if (complaint) process.stderr.write(`image: the types are not clean: ${complaint.split('\n')[0]}\n`);
}

/** Follows imports from the node side's files (the prober is a process of its own); returns the names of the npm packages met on the way. */
async function addModules(build: string, entries: Map<string, LayerEntry>): Promise<Set<string>> {
  const packages = new Set<string>();
  const waiting = (await readdir(join(build, ENTRIES)))
    .filter((name) => name.endsWith('.js'))
    .map((name) => `${ENTRIES}/${name}`);
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    if (entries.has(`${APP_ROOT}/${path}`)) continue;
    const content = await readFile(join(build, path));
    entries.set(`${APP_ROOT}/${path}`, file(content));
    for (const specifier of importsOf(content.toString('utf8'))) {
      if (specifier.startsWith('.')) waiting.push(posix.join(dirname(path), specifier));
      else if (!specifier.startsWith('node:')) packages.add(packageOf(specifier));
    }
  }
  return packages;
}

export function importsOf(source: string): string[] {
  return [...source.matchAll(IMPORT)].map(({ groups }) => (groups!.named ?? groups!.lazy)!);
}

function packageOf(specifier: string): string {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** Packages and their dependencies as npm laid them out (hoisted), without types and maps. */
async function addPackages(
  repository: string,
  names: ReadonlySet<string>,
  entries: Map<string, LayerEntry>,
): Promise<void> {
  const done = new Set<string>();
  const waiting = [...names];
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    if (done.has(name)) continue;
    done.add(name);
    const root = join(repository, 'node_modules', name);
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { dependencies?: object };
    waiting.push(...Object.keys(manifest.dependencies ?? {}));
    for (const path of await filesBelow(root)) {
      if (!/\.(d\.[cm]?ts|map|md)$/.test(path)) {
        entries.set(`${APP_ROOT}/node_modules/${name}/${path}`, file(await readFile(join(root, path))));
      }
    }
  }
}

async function filesBelow(root: string): Promise<string[]> {
  const all = await readdir(root, { recursive: true, withFileTypes: true });
  return all.filter((one) => one.isFile()).map((one) => relative(root, join(one.parentPath, one.name)));
}

function file(content: Uint8Array): LayerEntry {
  return { type: 'file', mode: 0o644, content };
}
