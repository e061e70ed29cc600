import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FILE_MAX_BYTES } from '../collect/limits.ts';
import { readFilesBelow } from './node-side-files.ts';

let outside = '';
let root = '';

beforeAll(() => {
  outside = mkdtempSync(join(tmpdir(), 'podtriage-files-'));
  root = join(outside, 'root');
  for (const directory of ['etc/cni/net.d', 'run/systemd', 'opt/cni/bin', 'var/lib/cni/networks/cbr0']) {
    mkdirSync(join(root, directory), { recursive: true });
  }
  writeFileSync(join(outside, 'secret'), 'not for the container');
  writeFileSync(join(root, 'secret'), 'the container’s own');
  writeFileSync(join(root, 'run/systemd/resolv.conf'), 'nameserver 10.96.0.10\n');
  symlinkSync('/run/systemd/resolv.conf', join(root, 'etc/resolv.conf'));
  symlinkSync('../../secret', join(root, 'etc/climbing'));
  symlinkSync(join(outside, 'secret'), join(root, 'etc/absolute'));
  symlinkSync('loop', join(root, 'etc/loop'));
  writeFileSync(join(root, 'etc/cni/net.d/10-flannel.conflist'), '{}');
  writeFileSync(join(root, 'etc/cni/net.d/.hidden.conflist'), '{}');
  writeFileSync(join(root, 'etc/cni/net.d/kubeconfig'), 'token');
  writeFileSync(join(root, 'opt/cni/bin/bridge'), 'binary');
  writeFileSync(join(root, 'opt/cni/bin/flannel'), 'binary');
  writeFileSync(join(root, 'var/lib/cni/networks/cbr0/10.244.0.2'), 'abc');
  writeFileSync(join(root, 'etc/large'), Buffer.alloc(FILE_MAX_BYTES + 1, 'x'));
  execFileSync('mkfifo', [join(root, 'etc/fifo')]);
});

afterAll(() => rmSync(outside, { recursive: true }));

const read = async (...paths: readonly string[]) => (await readFilesBelow(root, paths)).files;

describe('readFilesBelow', () => {
  it('follows a link as from inside of the root', async () => {
    expect(await read('/etc/resolv.conf')).toEqual([{ path: '/etc/resolv.conf', text: 'nameserver 10.96.0.10\n' }]);
  });

  it('is never led out of the root', async () => {
    expect(await read('/etc/climbing')).toEqual([{ path: '/etc/climbing', text: 'the container’s own' }]);
    expect(await read('/etc/absolute')).toEqual([{ path: '/etc/absolute', error: 'ENOENT' }]);
    expect(await read('/../../../secret')).toEqual([{ path: '/../../../secret', text: 'the container’s own' }]);
  });

  it('does not wait for a pipe, nor run around in a loop', async () => {
    expect(await read('/etc/fifo', '/etc/loop', '/etc/cni')).toEqual([
      { path: '/etc/fifo', error: 'EINVAL' },
      { path: '/etc/loop', error: 'ELOOP' },
      { path: '/etc/cni', error: 'EINVAL' },
    ]);
  });

  it('expands patterns, and tells one that matches nothing', async () => {
    expect(await read('/etc/cni/net.d/*.conflist', '/etc/cni/net.d/*.conf', '/no/*/such')).toEqual([
      { path: '/etc/cni/net.d/10-flannel.conflist', text: '{}' },
      { path: '/etc/cni/net.d/*.conf', error: 'ENOENT' },
      { path: '/no/*/such', error: 'ENOENT' },
    ]);
    expect(await read('/var/lib/cni/networks/*/*')).toEqual([
      { path: '/var/lib/cni/networks/cbr0/10.244.0.2', text: 'abc' },
    ]);
  });

  it('lists a directory’s names and reads none of them', async () => {
    expect(await read('/opt/cni/bin/', '/usr/lib/cni/')).toEqual([
      { path: '/opt/cni/bin/', text: 'bridge\nflannel' },
      { path: '/usr/lib/cni/', error: 'ENOENT' },
    ]);
  });

  it('says what it cut', async () => {
    const [large] = await read('/etc/large');
    expect(large).toMatchObject({ truncated: true });
    expect(large?.text).toHaveLength(FILE_MAX_BYTES);
  });

  it('reads what has no size', async () => {
    const [stat] = (await readFilesBelow('', ['/proc/self/status'])).files;
    expect(stat?.text).toContain('Pid:');
  });
});
