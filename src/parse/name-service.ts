import { parseFileReply } from './file-reply.ts';
import type { Parsed } from './parsed.ts';

/*
 * Format: a FileReply over /etc/nsswitch.conf and the names in /lib/ and /lib64/, as the container sees them.
 * Source of truth: nsswitch.conf(5); a program's loader is named in its PT_INTERP: ld-musl-ARCH.so.1 of musl, ld-linux*.so.N and
 * ld64.so.N of glibc.
 * Versions seen: Debian 12, Alpine 3, distroless.
 * Not understood: actions in brackets (`[NOTFOUND=return]`), which are kept as words.
 */

/** Whose look-ups a container's programs make, and where glibc looks. */
export interface NameService {
  /** The sources for names of hosts, in order; undefined where no file says. glibc then takes `files dns` (2.34: also without the file). */
  readonly hosts?: readonly string[];
  /** Which C libraries are there. None: programs bring their own resolver (Go), or nothing was found. */
  readonly libraries: readonly ('glibc' | 'musl')[];
}

export function parseNameService(text: string): Parsed<NameService> {
  const { value: files, unparsed } = parseFileReply(text);
  const hosts = files
    .find(({ path }) => path === '/etc/nsswitch.conf')
    ?.text?.split('\n')
    .map((line) => line.replace(/#.*$/, '').trim())
    .find((line) => /^hosts\s*:/.test(line))
    ?.replace(/^hosts\s*:/, '')
    .trim();
  const names = files.filter(({ path }) => path.endsWith('/')).flatMap((file) => (file.text ?? '').split('\n'));
  const has = (pattern: RegExp): boolean => names.some((name) => pattern.test(name));
  return {
    value: {
      ...(hosts === undefined ? {} : { hosts: hosts.split(/\s+/) }),
      libraries: [
        ...(has(/^ld-linux.*\.so\.\d+$|^ld64\.so\.\d+$/) ? (['glibc'] as const) : []),
        ...(has(/^ld-musl-.*\.so\.1$/) ? (['musl'] as const) : []),
      ],
    },
    unparsed,
  };
}
