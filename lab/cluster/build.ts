import { buildRecipe, type Say } from './build/build-recipe.ts';
import { compareVersions, findGo } from './build/go-tool.ts';
import { packImages } from './build/images.ts';
import { KUBE_ROUTER, OLDEST_GO, RECIPES } from './build/recipe.ts';
import { storedBytes, storeRoot } from './build/store.ts';

/** Everything that a bed runs: the store's folder of each program, and of the archive of its images. */
export interface Built {
  readonly programs: Readonly<Record<string, string>>;
  readonly images: string;
}

export interface BuildOptions {
  readonly withKubeRouter: boolean;
  readonly say: Say;
}

/** Builds what the store lacks: minutes the first time, no time later. Fails with one clear line where Go is missing or too old. */
export const build = async ({ withKubeRouter, say }: BuildOptions): Promise<Built> => {
  const go = await findGo();
  if (!go || compareVersions(go.version, OLDEST_GO) < 0) {
    const there = go ? `found only ${go.version} (${go.path})` : 'found none';
    throw new Error(`building Kubernetes needs Go ${OLDEST_GO} or newer, ${there}: see https://go.dev/doc/install`);
  }
  const programs: Record<string, string> = {};
  for (const recipe of withKubeRouter ? [...RECIPES, KUBE_ROUTER] : RECIPES) {
    const key = await buildRecipe(recipe, go, say);
    for (const program of recipe.programs) programs[program.name] = key;
  }
  return { programs, images: await packImages(programs, withKubeRouter, say) };
};

/** One line for the user: where the store is and how large these files are in it. */
export const describeBuilt = async (built: Built): Promise<string> => {
  const keys = [...new Set([...Object.values(built.programs), built.images])];
  const sizes = await Promise.all(keys.map(storedBytes));
  const total = sizes.reduce((sum, size) => sum + size, 0);
  return `${keys.length} folders, ${(total / 1e6).toFixed(0)} MB in ${storeRoot()}`;
};
