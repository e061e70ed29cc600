/** `npm run new-cause -- CLASS ID "Title"`: the three files of a new root cause, and the index. */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const CLASSES = [
  'network-unreachable',
  'port-unreachable',
  'dns-failure',
  'large-packet-loss',
  'cni-fault',
  'intermittent',
  'latency',
];
const [className, id, title] = process.argv.slice(2);
if (!className || !id || !title || !CLASSES.includes(className) || !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(id)) {
  process.stderr.write(
    `usage: npm run new-cause -- CLASS ID "Title"\n  CLASS: ${CLASSES.join(' | ')}\n  ID: kebab-case, named after the fault\n`,
  );
  process.exit(2);
}
const folder = resolve(import.meta.dirname, '../src/causes', className);
const base = join(folder, id);
if (existsSync(`${base}.ts`)) {
  process.stderr.write(`${id} exists already\n`);
  process.exit(2);
}
const variable = id.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
mkdirSync(folder, { recursive: true });
writeFileSync(
  `${base}.ts`,
  `import { defineCause } from '../../diagnose/cause.ts';

/** What decides it, and what it is told from. Source: … */
export const ${variable} = defineCause({
  id: '${id}',
  class: '${className}',
  title: '${title}',
  gravity: 'fault',
  at: 'path-node',
  needs: ['flows'],
  check() {
    return { is: 'unknown', because: 'not written yet' };
  },
});
`,
);
writeFileSync(
  `${base}.md`,
  `# ${title}\n\n${['What you see', 'Why it happens', 'Confirm by hand', 'Fix', 'When it is not this'].map((heading) => `## ${heading}\n\n`).join('')}`,
);
writeFileSync(
  `${base}.test.ts`,
  `import { expect, test } from 'vitest';
import { ${variable} } from './${id}.ts';

test('present: …', () => {
  expect(${variable}.id).toBe('present');
});

test('absent: …', () => {
  expect(${variable}.id).toBe('absent');
});

test('near miss: …', () => {
  expect(${variable}.id).toBe('near miss');
});
`,
);
spawnSync(process.execPath, [join(import.meta.dirname, 'causes-index.ts')], { stdio: 'inherit' });
process.stdout.write(`${base}.{ts,md,test.ts} written: the three tests fail until you write them\n`);
