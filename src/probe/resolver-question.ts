import type { Scalar } from '../host/host.ts';
import { type Address, parseAddress } from '../net/address.ts';

/** Whose rules a resolver goes by. They differ in which names they ask, whom, how often and when they give up. */
export type ResolverStyle = 'glibc' | 'musl';

/** A look-up as a container's C library would make it. */
export interface ResolverQuestion {
  readonly host: string;
  readonly style: ResolverStyle;
  readonly servers: readonly Address[];
  readonly search: readonly string[];
  /** Of resolv.conf(5); a flag has ''. */
  readonly options: Readonly<Record<string, string>>;
  /** Of the whole look-up. */
  readonly timeoutMs: number;
  /** With `rotate`, the server that is asked first is this one of them. */
  readonly turn: number;
}

/** MAXNS of both libraries (resolv/resolv.h; src/internal/… lookup.h). */
export const SERVERS_MAX = 3;
/** glibc had 6 before 2.26, and takes any number since; more than this no pod is given (kubelet: 32). */
const SEARCH_MAX = 32;

/** Throws RangeError where a server is no address. */
export function resolverQuestionOf(
  host: string,
  args: Readonly<Record<string, Scalar>>,
  timeoutMs: number,
): ResolverQuestion {
  const servers = wordsIn(args.servers).map((word) => {
    const address = parseAddress(word);
    if (address === undefined) throw new RangeError(`servers: ${word} is no address`);
    return address;
  });
  return {
    host,
    style: args.style === 'musl' ? 'musl' : 'glibc',
    servers: servers.slice(0, SERVERS_MAX),
    search: wordsIn(args.search).slice(0, SEARCH_MAX),
    options: optionsIn(args.options),
    timeoutMs,
    turn: typeof args.turn === 'number' ? args.turn : 0,
  };
}

/** What `resolverQuestionOf` reads, as a request carries it. */
export function resolverArgs(question: Omit<ResolverQuestion, 'turn'>): Readonly<Record<string, Scalar>> {
  const { host, style, servers, search, options, timeoutMs } = question;
  const written = Object.entries(options).map(([name, value]) => (value === '' ? name : `${name}:${value}`));
  return {
    ...{ host, style, timeoutMs },
    ...{ servers: servers.join(' '), search: search.join(' '), options: written.join(' ') },
  };
}

function wordsIn(value: Scalar | undefined): readonly string[] {
  return typeof value === 'string' ? value.split(' ').filter((word) => word !== '') : [];
}

function optionsIn(value: Scalar | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries(
    wordsIn(value).map((word): [string, string] => {
      const [name = '', ...rest] = word.split(':');
      return [name, rest.join(':')];
    }),
  );
}
