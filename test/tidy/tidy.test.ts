import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { importsOf, isTest, ROOT, sourcesBelow, textOf } from './sources.ts';

/** The floors, lowest first: a file imports only from its own folder's floor or below (docs/architecture.md). */
const FLOORS: readonly (readonly string[])[] = [
  ['net'],
  ['parse', 'wire'],
  ['snapshot'],
  ['target', 'policy', 'simulate'],
  ['collect', 'capture'],
  ['diagnose', 'cni', 'probe'],
  ['causes', 'report'],
  ['triage'],
  ['cli', 'agent', 'host', 'main'],
];

const folderOf = (path: string): string =>
  path.split('/').length === 2 ? path.split('/')[1]!.replace(/\.ts$/, '') : path.split('/')[1]!;
const floorOf = (folder: string): number => FLOORS.findIndex((floor) => floor.includes(folder));
const sources = sourcesBelow('src').filter((path) => !isTest(path));

describe('import floors', () => {
  test.each(sources)('%s imports downwards only', (path) => {
    const own = folderOf(path);
    expect(floorOf(own), `${own} has no floor`).toBeGreaterThanOrEqual(0);
    const wrong = importsOf(path)
      .filter((one) => one.file?.startsWith('src/'))
      .filter((one) => !(one.file === 'src/host/host.ts' && one.typeOnly) && one.file !== 'src/host/host.ts')
      .filter((one) => {
        const other = folderOf(one.file!);
        if (other === own) return false;
        if (floorOf(other) === floorOf(own))
          return !(own === 'cli' || own === 'main' || own === 'host' || own === 'agent');
        return floorOf(other) > floorOf(own);
      });
    expect(wrong.map((one) => one.file)).toEqual([]);
  });
});

describe('effects', () => {
  /** Modules that reach out of the program; zlib transforms bytes and is pure. */
  const EFFECTS =
    /^(node:)?(fs|fs\/promises|child_process|net|dgram|http|https|http2|tls|os|process|worker_threads|dns|timers|timers\/promises)$/;
  const MAY = /^src\/(host|cli|agent)\/|^src\/main\.ts$/;

  test.each(sources.filter((path) => !MAY.test(path)))('%s has no effects', (path) => {
    expect(
      importsOf(path)
        .filter((one) => EFFECTS.test(one.specifier) && !one.typeOnly)
        .map((one) => one.specifier),
    ).toEqual([]);
    const code = textOf(path).replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, '');
    expect(code).not.toMatch(
      /\bprocess\.(env|argv|exit|stdout|stderr|stdin)\b|\bDate\.now\(|\bnew Date\(\)|\bsetTimeout\(|\bsetInterval\(|\bMath\.random\(|\bfetch\(/,
    );
  });

  test('the node side loads neither the Kubernetes client nor zod', () => {
    const reached = new Set<string>();
    const visit = (path: string): void => {
      if (reached.has(path) || !existsSync(join(ROOT, path))) return;
      reached.add(path);
      for (const one of importsOf(path)) {
        if (one.typeOnly) continue;
        expect(one.specifier, `${path} is loaded on nodes`).not.toMatch(
          /^(@kubernetes\/client-node|zod|commander|picocolors)$/,
        );
        if (one.file) visit(one.file);
      }
    };
    const entries = readdirSync(join(ROOT, 'src/agent')).filter((name) => /main\.ts$|^prober/.test(name));
    expect(entries.length).toBeGreaterThan(0);
    for (const entry of entries) visit(`src/agent/${entry}`);
  });
});

describe('house style', () => {
  const all = [
    ...sourcesBelow('src'),
    ...sourcesBelow('lab'),
    ...sourcesBelow('test'),
    ...sourcesBelow('tools'),
    ...sourcesBelow('bench'),
  ];

  test.each(all)('%s', (path) => {
    const text = textOf(path);
    expect(path).toMatch(/^[a-z0-9./-]+$/);
    expect(path).not.toMatch(/utils?\b/);
    expect(text).not.toMatch(/^export default (?!defineConfig\()/m);
    expect(text).not.toMatch(/\b(test|it|describe)\.only\(|\bdebugger\b/);
    expect(text).not.toMatch(new RegExp(`\\b${'TO'}DO\\b|\\b${'FIX'}ME\\b`));
    expect(text).not.toMatch(new RegExp(['/wo', 'rk/'].join('')));
  });

  test('no file of src is dead: each is imported, an entry, or a test', () => {
    const imported = new Set(
      [
        ...sourcesBelow('src'),
        ...sourcesBelow('test'),
        ...sourcesBelow('lab'),
        ...sourcesBelow('tools'),
        ...sourcesBelow('bench'),
      ].flatMap((path) => importsOf(path).map((one) => one.file)),
    );
    const entries = /^src\/main\.ts$|^src\/agent\/(agent-main|exec-main|main|prober[a-z-]*)\.ts$/;
    expect(sources.filter((path) => !imported.has(path) && !entries.test(path))).toEqual([]);
  });
});

describe('the shelf of causes', () => {
  const HEADINGS = ['What you see', 'Why it happens', 'Confirm by hand', 'Fix', 'When it is not this'];
  const files = sources.filter(
    (path) => /^src\/causes\/[^/]+\/[^/]+\.ts$/.test(path) && !path.startsWith('src/causes/shared/'),
  );

  test('there are causes', () => {
    expect(files.length).toBeGreaterThanOrEqual(30);
  });

  test.each(files)('%s is a triple with its page and its test', async (path) => {
    const [, , folder, name] = path.split('/');
    const id = name!.replace(/\.ts$/, '');
    const module = (await import(join(ROOT, path))) as Record<string, { id?: string; class?: string; title?: string }>;
    const cause = Object.values(module).find((value) => value?.id === id);
    expect(cause, `${path} exports no cause with the id ${id}`).toBeDefined();
    expect(cause!.class).toBe(folder);
    const page = textOf(path.replace(/\.ts$/, '.md'));
    const headings = [...page.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
    expect(headings).toEqual(HEADINGS);
    const tests = textOf(path.replace(/\.ts$/, '.test.ts'));
    expect(
      [...tests.matchAll(/^\s*(?:test|it)(?:\.each\([\s\S]*?\))?\(/gm)].length,
      'present, absent and a near miss',
    ).toBeGreaterThanOrEqual(3);
  });

  test('the index is complete', async () => {
    const { causes } = (await import(join(ROOT, 'src/causes/index.ts'))) as { causes: readonly { id: string }[] };
    expect(causes.map((cause) => cause.id).sort()).toEqual(
      files.map((path) => path.split('/')[3]!.replace(/\.ts$/, '')).sort(),
    );
    expect(new Set(causes.map((cause) => cause.id)).size).toBe(causes.length);
  });

  test('ids that causes refine or explain exist', async () => {
    const { causes } = (await import(join(ROOT, 'src/causes/index.ts'))) as {
      causes: readonly { id: string; refines?: string[]; explains?: string[] }[];
    };
    const ids = new Set(causes.map((cause) => cause.id));
    expect(
      causes.flatMap((cause) => [...(cause.refines ?? []), ...(cause.explains ?? [])]).filter((id) => !ids.has(id)),
    ).toEqual([]);
  });
});
