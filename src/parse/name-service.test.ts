import { expect, test } from 'vitest';
import { parseNameService } from './name-service.ts';

const reply = (files: readonly { path: string; text?: string; error?: string }[]): string => JSON.stringify({ files });
const DEBIAN = reply([
  { path: '/etc/nsswitch.conf', text: '# /etc/nsswitch.conf\npasswd: files\nhosts:          files dns # usual\n' },
  { path: '/lib/', text: 'ld-linux.so.2\nx86_64-linux-gnu' },
  { path: '/lib64/', text: 'ld-linux-x86-64.so.2' },
]);

test('Debian: glibc, and the order of its sources', () => {
  expect(parseNameService(DEBIAN).value).toEqual({ hosts: ['files', 'dns'], libraries: ['glibc'] });
});

test('Alpine: musl, no nsswitch.conf, no /lib64', () => {
  const text = reply([
    { path: '/etc/nsswitch.conf', error: 'ENOENT' },
    { path: '/lib/', text: 'apk\nld-musl-x86_64.so.1\nlibc.musl-x86_64.so.1' },
    { path: '/lib64/', error: 'ENOENT' },
  ]);
  expect(parseNameService(text)).toEqual({ value: { libraries: ['musl'] }, unparsed: [] });
});

test('an image from scratch has none; one with both is not guessed', () => {
  const none = reply(['/etc/nsswitch.conf', '/lib/', '/lib64/'].map((path) => ({ path, error: 'ENOENT' })));
  expect(parseNameService(none).value.libraries).toEqual([]);
  const both = reply([{ path: '/lib/', text: 'ld-musl-aarch64.so.1\nld-linux-aarch64.so.1' }]);
  expect(parseNameService(both).value.libraries).toEqual(['glibc', 'musl']);
});

test('a file that could not be read is told, and cut or broken replies do not throw', () => {
  expect(parseNameService(reply([{ path: '/lib/', error: 'EACCES' }])).unparsed).toHaveLength(1);
  for (let length = 0; length < DEBIAN.length; length++) parseNameService(DEBIAN.slice(0, length));
});
