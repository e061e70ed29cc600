import { expect, test } from 'vitest';
import { publishedReplacements, recipeKey } from './build-recipe.ts';
import { compareVersions } from './go-tool.ts';
import { RECIPES } from './recipe.ts';

const GO_MOD = `module k8s.io/kubernetes

replace (
	k8s.io/api => ./staging/src/k8s.io/api
	k8s.io/client-go => ./staging/src/k8s.io/client-go
	github.com/onsi/ginkgo => github.com/onsi/ginkgo v1.0.0
)
`;

test('staging folders become the published modules of the same release', () => {
  expect(publishedReplacements(GO_MOD, 'v1.34.4')).toEqual([
    'replace k8s.io/api => k8s.io/api v0.34.4',
    'replace k8s.io/client-go => k8s.io/client-go v0.34.4',
  ]);
});

test('the key follows the recipe and the Go, and nothing else', async () => {
  const [recipe] = RECIPES;
  const go = { path: '/usr/local/go/bin/go', version: '1.26.8' };
  const key = await recipeKey(recipe!, go);
  expect(await recipeKey(recipe!, { ...go, path: '/opt/go/bin/go' })).toBe(key);
  expect(await recipeKey(recipe!, { ...go, version: '1.26.9' })).not.toBe(key);
  expect(await recipeKey({ ...recipe!, goVersion: '1.25.0' }, go)).not.toBe(key);
  expect(key).toMatch(/^kubernetes-v1\.34\.4-[0-9a-f]{12}$/);
});

test.each([
  ['1.9', '1.24.0', -1],
  ['1.24', '1.24.0', 0],
  ['1.26.8', '1.24.0', 1],
  ['2.0', '1.99.99', 1],
])('Go %s compared with %s', (a, b, sign) => {
  expect(Math.sign(compareVersions(a, b))).toBe(sign);
});
