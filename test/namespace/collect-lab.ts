import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Why a test that needs root and network namespaces cannot run here; '' where it can. */
export function whyNot(...tools: readonly string[]): string {
  if (process.getuid?.() !== 0) return 'not root';
  const missing = ['ip', 'nsenter', ...tools].filter((tool) => spawnSync('which', [tool]).status !== 0);
  if (missing.length > 0) return `not installed: ${missing.join(', ')}`;
  const made = spawnSync('ip', ['netns', 'add', `podtriage-may-${process.pid}`]).status === 0;
  if (made) spawnSync('ip', ['netns', 'del', `podtriage-may-${process.pid}`]);
  return made ? '' : 'no network namespace may be made';
}

export function skipped(why: string): string {
  return why === '' ? '' : ` (skipped: ${why})`;
}

export function run(...command: readonly string[]): string {
  return execFileSync(command[0]!, command.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

export function within(namespace: string, ...command: readonly string[]): string {
  return run('nsenter', `--net=/run/netns/${namespace}`, ...command);
}

/** Network namespaces for one test, removed by `remove`. */
export function addNamespaces(...names: readonly string[]): void {
  for (const name of names) {
    if (existsSync(`/run/netns/${name}`)) run('ip', 'netns', 'del', name);
    run('ip', 'netns', 'add', name);
    within(name, 'ip', 'link', 'set', 'lo', 'up');
  }
}

export function removeNamespaces(...names: readonly string[]): void {
  for (const name of names) spawnSync('ip', ['netns', 'del', name]);
}

/** A cable between two namespaces, `left` at 192.0.2.1 and `right` at 192.0.2.2. */
export function cable(left: string, right: string): void {
  run('ip', 'link', 'add', 'name', 'eth0', 'netns', left, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', right);
  for (const [name, address] of [
    [left, '192.0.2.1/24'],
    [right, '192.0.2.2/24'],
  ] as const) {
    within(name, 'ip', 'addr', 'add', address, 'dev', 'eth0');
    within(name, 'ip', 'link', 'set', 'eth0', 'up');
  }
}
