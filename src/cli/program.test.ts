import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, test, vi } from 'vitest';

// Each starts the program once or more, which a busy machine takes seconds for.
vi.setConfig({ testTimeout: 30_000 });
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
    [
      'a what-if of no kind',
      ['simulate', 'pod/a/b', 'pod/a/c', '--with', 'rout add x'],
      /begins with none of .*did you mean route/,
    ],
    ['a what-if without words', ['simulate', 'pod/a/b', 'pod/a/c', '--without', 'rule'], /does not say which rule/],
    ['a packet without a length', ['simulate', 'pod/a/b', 'pod/a/c', '--size', '20'], /28 to 65535 bytes/],
    ['a simulation of nothing', ['simulate', 'pod/a/b'], /missing required argument 'destination'/],
    ['a probe of nothing', ['probe', 'tcp', 'pod/a/b'], /missing required argument 'destination'/],
    ['a probe that is none', ['probe', 'tpc', 'pod/a/b', 'pod/a/c'], /unknown command 'tpc'/],
    ['a probe of a bundle', ['probe', 'tcp', 'pod/a/b', 'pod/a/c:1', '--bundle', 'x'], /needs a live cluster/],
    ['a probe that may not send', ['probe', 'ping', 'pod/a/b', 'pod/a/c', '--no-probe'], /use simulate/],
    ['a ping by TCP', ['probe', 'ping', 'pod/a/b', 'pod/a/c', '--protocol', 'tcp'], /sends icmp, not tcp/],
    ['a probe without end', ['probe', 'tcp', 'pod/a/b', 'pod/a/c:1', '--count', '0'], /from 1 to 10000/],
    ['a command for no pod', ['exec', 'pod/a/b'], /missing required argument 'command'/],
    ['a terminal where none is', ['exec', '-t', 'pod/a/b', '--', 'ip'], /needs a terminal/],
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

const scenario = (id: string) => resolve(import.meta.dirname, `../../scenarios/${id}`);
const bundle = (id: string) => ['--bundle', `${scenario(id)}/bundle.tar.gz`];
const questionOf = (id: string): string[] => JSON.parse(readFileSync(`${scenario(id)}/expect.json`, 'utf8')).question;

test.each(['diagnose', 'collect', 'simulate'])('%s --dry-run prints the plan and does nothing else', (command) => {
  const written = join(folder, 'planned.tar.gz');
  const args = command === 'collect' ? ['-o', written] : [];
  const { code, out } = podtriage(
    command,
    ...questionOf('healthy-pod-service'),
    '--dry-run',
    ...args,
    ...bundle('healthy-pod-service'),
  );
  expect([code, out.split('\n')[0], existsSync(written)]).toEqual([
    0,
    '# created, and removed at the end of the run',
    false,
  ]);
});

describe('simulate', () => {
  const cross = ['simulate', ...questionOf('forward-policy-drop')];

  test('says how it ends in its exit code: delivered, lost', () => {
    const delivered = podtriage('simulate', ...questionOf('healthy-pod-service'), ...bundle('healthy-pod-service'));
    expect([delivered.code, delivered.err]).toEqual([0, expect.stringMatching(/reading the cluster/)]);
    expect(delivered.out).toMatch(/^✓ DELIVERED$/m);
    const lost = podtriage(...cross, '-q', ...bundle('forward-policy-drop'));
    expect([lost.code, lost.err]).toEqual([1, '']);
    expect(lost.out).toMatch(/^ ✗ dropped by the policy of filter FORWARD \(w2\)$/m);
  });

  test('an address behind a name or a headless Service is told to be one that was not looked up', () => {
    const { code, out } = podtriage('simulate', ...questionOf('dns-no-endpoints'), '-q', ...bundle('dns-no-endpoints'));
    expect(code).toBe(0);
    expect(out.replaceAll(/\s+/g, ' ')).toContain('no answer of DNS for web.demo.svc.cluster.local is known');
  });

  test('a what-if changes the end and the exit code, and the difference comes first', () => {
    const { code, out } = podtriage(
      ...cross,
      '-q',
      ...bundle('forward-policy-drop'),
      '--with',
      'policy FORWARD ACCEPT',
    );
    expect(code).toBe(0);
    expect(out.split('\n').slice(5, 10)).toEqual([
      'WHAT IF',
      '  · with the policy of filter FORWARD ACCEPT (node w2)',
      '✓ DELIVERED',
      '  delivered there and back',
      '  was: dropped by the policy of filter FORWARD (w2)',
    ]);
  });

  test('as JSON, and several what-ifs at once', () => {
    const { code, out } = podtriage(
      ...['simulate', ...questionOf('rp-filter-drop'), '-o', 'json', '-q'],
      ...bundle('rp-filter-drop'),
      ...['--with', 'sysctl net.ipv4.conf.all.rp_filter=0 @w2', '--with', 'sysctl net.ipv4.conf.eth0.rp_filter=0 @w2'],
    );
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      schema: 'podtriage.trace/v1',
      verdict: 'delivered',
      whatIf: { changes: [{ place: { node: 'w2' } }, { place: { node: 'w2' } }], before: { verdict: 'lost' } },
    });
  });

  test.each([
    ['with', 'sysctl net.ipv4.ip_forwrd=1', /did you mean net.ipv4.ip_forward\?/],
    ['with', 'link eht0 down', /there is no device eht0 .*did you mean eth0/],
    ['without', 'rule FORWARD#99', /filter FORWARD has 5 rules/],
  ] as const)('a change that means nothing is exit 2: --%s %s', (sign, text, line) => {
    const { code, out, err } = podtriage(...cross, '-q', ...bundle('forward-policy-drop'), `--${sign}`, text);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toMatch(line);
    expect(err.trimEnd().split('\n')).toHaveLength(1);
  });

  test('one that means several things lists them, to be copied', () => {
    const { code, err } = podtriage(
      ...cross,
      '-q',
      ...bundle('forward-policy-drop'),
      '--without',
      'rule KUBE-FORWARD 3 filter',
    );
    expect(code).toBe(2);
    expect(err).toContain("\n  --without 'rule iptables-nft filter KUBE-FORWARD#3 @w1'   # -A KUBE-FORWARD");
    expect(err).toContain("\n  --without 'rule iptables-nft filter KUBE-FORWARD#3 @w2'");
  });

  test('a name that only a look-up would tell is exit 2, since nothing is sent', () => {
    const { code, err } = podtriage(
      'simulate',
      questionOf('healthy-pod-service')[0]!,
      'nowhere.example:80',
      '-q',
      ...bundle('healthy-pod-service'),
    );
    expect(code).toBe(2);
    expect(err).toMatch(/the address of nowhere.example:80 is not known/);
  });
});
