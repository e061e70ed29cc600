import { describe, expect, test } from 'vitest';
import { parseCniConfiguration, parseCniFiles } from './cni-conf.ts';
import {
  expectEveryTruncationParses,
  expectFuzzParses,
  expectWrongTypesParse,
  fixture,
} from './testing/parser-properties.ts';

const FLANNEL = fixture('cni-configuration-flannel.json');
const FILES = fixture('cni-files-1.1.json');
const reply = (...files: readonly object[]) => JSON.stringify({ files });

describe('parseCniConfiguration', () => {
  test("flannel's list", () => {
    const { value, unparsed } = parseCniConfiguration(FLANNEL);
    expect(unparsed).toEqual([]);
    expect(value).toMatchObject({
      directory: '/etc/cni/net.d',
      files: [
        {
          name: '10-flannel.conflist',
          network: { name: 'cbr0', cniVersion: '0.3.1', plugins: [{ type: 'flannel' }, { type: 'portmap' }] },
        },
      ],
    });
    expect(value.files[0]?.network?.plugins[0]?.raw).toMatchObject({ delegate: { hairpinMode: true } });
  });

  test('in name order; a single plug-in; what is broken says why', () => {
    const { value } = parseCniConfiguration(
      reply(
        { path: '/etc/cni/net.d/', text: '99-loopback.conf\n05-bad.conflist\n10-x.conf\ncalico-kubeconfig' },
        { path: '/etc/cni/net.d/99-loopback.conf', text: '{"cniVersion":"0.2.0","name":"lo","type":"loopback"}' },
        { path: '/etc/cni/net.d/05-bad.conflist', text: '{"name": "x", "plugins": [' },
        { path: '/etc/cni/net.d/10-x.conf', text: '{"name":"x"}' },
        { path: '/etc/cni/net.d/20-empty.conflist', text: '{"name":"x","plugins":[]}' },
        { path: '/etc/cni/net.d/30-list.json', text: '[]' },
      ),
    );
    expect(value.files.map((file) => [file.name, file.network?.plugins[0]?.type ?? file.problem])).toEqual([
      ['05-bad.conflist', expect.stringMatching(/^not JSON: /)],
      ['10-x.conf', 'plug-in 1 has no type'],
      ['20-empty.conflist', 'the list of plug-ins is empty'],
      ['30-list.json', 'not a JSON object'],
      ['99-loopback.conf', 'loopback'],
    ]);
  });

  test('an empty directory and none at all are whole answers', () => {
    const empty = { path: '/etc/cni/net.d/', text: '' };
    const none = { path: '/etc/cni/net.d/', error: 'ENOENT' };
    for (const directory of [empty, none]) {
      expect(parseCniConfiguration(reply(directory, { path: '/etc/cni/net.d/*.conf', error: 'ENOENT' }))).toEqual({
        value: { directory: '/etc/cni/net.d', files: [] },
        unparsed: [],
      });
    }
  });

  test("k3s's directory; configurations in two directories are told", () => {
    const k3s = {
      path: '/var/lib/rancher/k3s/agent/etc/cni/net.d/10-flannel.conflist',
      text: '{"name":"cbr0","type":"flannel"}',
    };
    const absent = { path: '/etc/cni/net.d/', error: 'ENOENT' };
    expect(parseCniConfiguration(reply(absent, k3s))).toMatchObject({
      value: { directory: '/var/lib/rancher/k3s/agent/etc/cni/net.d', files: [{ name: '10-flannel.conflist' }] },
      unparsed: [],
    });
    const other = { path: '/etc/cni/net.d/10-old.conf', text: '{"name":"old","type":"bridge"}' };
    const both = parseCniConfiguration(reply(other, k3s));
    expect(both.value.files.map((file) => file.name)).toEqual(['10-old.conf']);
    expect(both.unparsed).toHaveLength(1);
  });

  test('a file that could not be read is a gap', () => {
    expect(parseCniConfiguration(reply({ path: '/etc/cni/net.d/10-x.conf', error: 'EACCES' })).unparsed).toHaveLength(
      1,
    );
  });

  test('never throws', () => {
    expectEveryTruncationParses(FLANNEL, parseCniConfiguration);
    expectFuzzParses([FLANNEL], parseCniConfiguration);
    expectWrongTypesParse(FLANNEL, parseCniConfiguration);
  });
});

describe('parseCniFiles', () => {
  test('plug-ins of every directory, allocations without the lock files', () => {
    const { value, unparsed } = parseCniFiles(FILES);
    expect(unparsed).toEqual([]);
    expect(value.binaries).toEqual(expect.arrayContaining(['bridge', 'flannel', 'host-local', 'portmap']));
    expect(value.binaries.filter((name) => name === 'bridge')).toHaveLength(1);
    expect(value.allocations).toEqual([
      {
        network: 'cbr0',
        address: '10.244.0.2',
        container: '68acbc6993ba305fdecf6a6ff8b07003ac70e9b102094195dfd66cf6273a5486',
      },
    ]);
  });

  test('host-local 0.7: the container id alone, IPv6', () => {
    const { value } = parseCniFiles(reply({ path: '/var/lib/cni/networks/k8s/fd00:10::5', text: 'abc\r\neth0' }));
    expect(value.allocations).toEqual([{ network: 'k8s', address: 'fd00:10::5', container: 'abc' }]);
  });

  test('nothing there', () => {
    const none = reply(
      { path: '/opt/cni/bin/', error: 'ENOENT' },
      { path: '/var/lib/cni/networks/*/*', error: 'ENOENT' },
    );
    expect(parseCniFiles(none)).toEqual({ value: { binaries: [], allocations: [] }, unparsed: [] });
  });

  test('never throws', () => {
    expectEveryTruncationParses(FILES, parseCniFiles);
    expectFuzzParses([FILES], parseCniFiles);
    expectWrongTypesParse(FILES, parseCniFiles);
  });
});
