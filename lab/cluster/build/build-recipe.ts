import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { command, output } from '../../command.ts';
import { compareVersions, type GoTool } from './go-tool.ts';
import type { Program, Recipe } from './recipe.ts';
import { isStored, store, storeKey } from './store.ts';

export type Say = (line: string) => void;

/** `-trimpath` and no version stamps: the same inputs give the same bytes wherever they are built. */
const GO_FLAGS = '-mod=mod -trimpath -buildvcs=false';
const LINK_FLAGS = '-s -w';
const BUILD_TIMEOUT_MS = 60 * 60_000;

const SOURCES = join(import.meta.dirname, '..', 'go');

const ownSource = async (recipe: Recipe): Promise<string> =>
  recipe.main && 'folder' in recipe.main ? readFile(join(SOURCES, recipe.main.folder, 'main.go'), 'utf8') : '';

/** The folder of the store that holds this recipe's programs as this Go builds them. */
export const recipeKey = async (recipe: Recipe, go: GoTool): Promise<string> =>
  storeKey(recipe.id, recipe.version, {
    recipe,
    source: await ownSource(recipe),
    flags: [GO_FLAGS, LINK_FLAGS],
    go: go.version,
    machine: process.arch,
  });

interface Module {
  readonly Dir: string;
  readonly GoMod: string;
}

const environment = (recipe: Recipe, go: GoTool): Record<string, string> => ({
  CGO_ENABLED: '0',
  GOFLAGS: GO_FLAGS,
  // Only a recipe that needs a newer Go than this machine's may fetch one.
  ...(compareVersions(go.version, recipe.goVersion) < 0 ? { GOTOOLCHAIN: 'auto' } : {}),
});

const download = async (recipe: Recipe, go: GoTool): Promise<Module> => {
  const text = await output([go.path, 'mod', 'download', '-json', `${recipe.module}@${recipe.version}`], {
    cwd: tmpdir(),
    env: { ...environment(recipe, go), GOFLAGS: '' },
    timeoutMs: 10 * 60_000,
  });
  return JSON.parse(text) as Module;
};

/** `k8s.io/api => ./staging/src/k8s.io/api` of Kubernetes v1.X.Y becomes `k8s.io/api => k8s.io/api v0.X.Y`. */
export const publishedReplacements = (goMod: string, version: string): readonly string[] =>
  [...goMod.matchAll(/^\s*(?<path>k8s\.io\/[a-z-]+) => \.\/staging\//gm)].map(
    (match) => `replace ${match.groups!.path} => ${match.groups!.path} ${version.replace('v1.', 'v0.')}`,
  );

const goMod = async (recipe: Recipe, module: Module | undefined): Promise<string> => {
  const lines = ['module podtriage.lab/build', `go ${recipe.goVersion}`];
  if (recipe.godebug) lines.push(`godebug ${recipe.godebug}`);
  if (module) lines.push(`require ${recipe.module} ${recipe.version}`);
  if (module && recipe.publishedStaging) {
    lines.push(...publishedReplacements(await readFile(module.GoMod, 'utf8'), recipe.version));
  }
  return `${lines.join('\n')}\n`;
};

const mainSource = async (recipe: Recipe, module: Module | undefined): Promise<string | undefined> => {
  if (!recipe.main) return undefined;
  if ('folder' in recipe.main) return ownSource(recipe);
  const without = new RegExp(recipe.main.ownWithout);
  const own = await readFile(join(module!.Dir, 'main.go'), 'utf8');
  return own
    .split('\n')
    .filter((line) => !without.test(line))
    .join('\n');
};

const linkFlags = (program: Program): string =>
  [LINK_FLAGS, ...Object.entries(program.variables ?? {}).map(([name, value]) => `-X ${name}=${value}`)].join(' ');

const buildProgram = async (recipe: Recipe, program: Program, go: GoTool, folder: string, say: Say): Promise<void> => {
  const started = performance.now();
  const target = join(folder, 'out', program.name);
  const argv = ['nice', '-n', '15', go.path, 'build', `-ldflags=${linkFlags(program)}`, '-o', target];
  const result = await command([...argv, program.package], {
    cwd: folder,
    env: environment(recipe, go),
    timeoutMs: BUILD_TIMEOUT_MS,
  });
  if (result.code !== 0) {
    const complaint = result.stderr.split('\n').filter((line) => line && !line.startsWith('go: downloading'));
    throw new Error(`building ${program.name} ${recipe.version} failed: ${complaint.slice(-8).join('\n')}`);
  }
  const { size } = await stat(target);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  say(`built ${program.name} ${recipe.version} in ${seconds} s, ${(size / 1e6).toFixed(1)} MB`);
};

/** Builds one recipe unless the store has it; answers its key. */
export const buildRecipe = async (recipe: Recipe, go: GoTool, say: Say): Promise<string> => {
  const key = await recipeKey(recipe, go);
  if (await isStored(key)) return key;
  const folder = await mkdtemp(join(tmpdir(), `podtriage-build-${recipe.id}-`));
  try {
    await mkdir(join(folder, 'out'));
    say(`building ${recipe.id} ${recipe.version} with go ${go.version}`);
    const module = recipe.module ? await download(recipe, go) : undefined;
    await writeFile(join(folder, 'go.mod'), await goMod(recipe, module));
    const main = await mainSource(recipe, module);
    if (main !== undefined) await writeFile(join(folder, 'main.go'), main);
    for (const program of recipe.programs) await buildProgram(recipe, program, go, folder, say);
    await store(key, Object.fromEntries(recipe.programs.map((p) => [p.name, join(folder, 'out', p.name)])));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return key;
};
