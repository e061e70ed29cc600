import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';

const MAIN = resolve(import.meta.dirname, '../main.ts');
const folder = mkdtempSync(join(tmpdir(), 'podtriage-cli-'));
afterAll(() => rmSync(folder, { recursive: true }));

function podtriage(...args: string[]) {
  const done = spawnSync(process.execPath, [MAIN, ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: folder },
    timeout: 20_000,
  });
  return { code: done.status, out: done.stdout, err: done.stderr };
}

describe('bad input is one clear line and exit 2', () => {
  test.each([
    ['an unknown command', ['diagnos'], /unknown command 'diagnos'/],
    ['an unknown option', ['diagnose', 'pod/a/b', 'pod/a/c', '--porrt', '1'], /unknown option '--porrt'/],
    ['a missing argument', ['diagnose', 'pod/a/b'], /missing required argument 'destination'/],
    ['a port that is none', ['diagnose', 'pod/a/b', 'pod/a/c', '--port', '70000'], /1 to 65535/],
    ['a format that is none', ['diagnose', 'pod/a/b', 'pod/a/c', '-o', 'yml'], /text, json/],
    [
      'a bundle that is not there',
      ['diagnose', 'pod/a/b', 'pod/a/c', '--bundle', join(folder, 'none.tar.gz')],
      /cannot read the bundle/,
    ],
    [
      'a kubeconfig that is not there',
      ['diagnose', 'pod/a/b', 'pod/a/c', '--kubeconfig', join(folder, 'none')],
      /kubeconfig/,
    ],
    ['a cause that is none', ['explain', 'ip-forward-disable'], /did you mean ip-forward-disabled/],
  ])('%s', (_, args, line) => {
    const { code, err, out } = podtriage(...args);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(line);
    expect(err.trimEnd().split('\n').length).toBeLessThanOrEqual(2);
  });

  test('a corrupt bundle', () => {
    const path = join(folder, 'corrupt.tar.gz');
    writeFileSync(path, 'this is no archive');
    const { code, err } = podtriage('diagnose', 'pod/a/b', 'pod/a/c', '--bundle', path);
    expect(code).toBe(2);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  });

  test('an unreadable kubeconfig', () => {
    const path = join(folder, 'broken.yaml');
    writeFileSync(path, 'clusters: [\n');
    const { code, err } = podtriage('diagnose', 'pod/a/b', 'pod/a/c', '--kubeconfig', path);
    expect(code).toBe(2);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  });
});

test('a cluster that does not answer is exit 4', () => {
  const path = join(folder, 'away.yaml');
  writeFileSync(
    path,
    JSON.stringify({
      clusters: [{ name: 'a', cluster: { server: 'https://127.0.0.1:1' } }],
      users: [{ name: 'a', user: { token: 'x' } }],
      contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
      'current-context': 'a',
    }),
  );
  const { code, err } = podtriage('diagnose', 'pod/a/b', 'pod/a/c', '--kubeconfig', path);
  expect(code).toBe(4);
  expect(err.trimEnd().split('\n')).toHaveLength(1);
});

test('help and version are exit 0', () => {
  expect(podtriage('--help').code).toBe(0);
  expect(podtriage('--version').out).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(podtriage('workflow').code).toBe(0);
  expect(podtriage('explain', 'ip-forward-disabled').out).toMatch(/^# IP forwarding is switched off/);
});
