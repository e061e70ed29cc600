import type { Scalar } from '../host/host.ts';
import type { FactName } from '../snapshot/facts.ts';

/**
 * How to obtain one fact: a description, not a procedure. Every host runs the same list; nothing here writes.
 * The raw reply is kept and parsed by snapshot/fact-parsers.ts, so that a mended parser improves old bundles.
 */
export interface Collector {
  readonly fact: FactName;
  /** cluster: the API; node: the node as a whole (its host place); namespace: any network namespace; pod: a pod's containers. */
  readonly scope: 'cluster' | 'node' | 'namespace' | 'pod';
  readonly how: (args: Readonly<Record<string, Scalar>>) => How;
  readonly limits: CollectorLimits;
}

export interface CollectorLimits {
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** Address space of the tool (RLIMIT_AS): a huge rule set must not take the helper down with it. */
  readonly maxMemoryBytes?: number;
}

export type How =
  | CommandHow
  /** Files read by the node side. `netns`: /proc/net and /proc/sys as that namespace sees them; `node`: the node's own file system; `container`: the pod's. Globs with `*` in one path part (one that matches nothing is told as ENOENT); a path that ends in `/` means the names in that directory, one a line. The reply is a JSON `FileReply`. */
  | { readonly via: 'files'; readonly root: 'netns' | 'node' | 'container'; readonly paths: readonly string[] }
  | { readonly via: 'api'; readonly path: string; readonly query?: Readonly<Record<string, string>> }
  /** Computed by the node side: `sandboxes`, `tc-filters`, `wireguard`. */
  | { readonly via: 'node-side'; readonly name: string };

/** A tool, run in the place's network namespace. */
export interface CommandHow {
  readonly via: 'command';
  readonly argv: readonly string[];
  /** Lines for the tool's batch mode; it reads nothing else from its standard input. */
  readonly input?: string;
  /** Runs only if that file of the namespace is there and has such a line (any line where none is named); otherwise the reply is empty and complete. */
  readonly when?: { readonly file: string; readonly hasLine?: string };
  /**
   * Kernel modules that the tool's question would make the kernel load (request_module). Where one of them could be
   * loaded and is not, nothing of its kind exists: the reply is `without.text`, or the tool is run with `without.env`,
   * which makes it ask in another way. Collecting loads no module.
   */
  readonly modules?: {
    readonly names: readonly string[];
    readonly without: { readonly text: string } | { readonly env: Readonly<Record<string, string>> };
  };
}

/** The raw reply of `via: 'files'`, as JSON. A file that is not there is told with its error (`ENOENT`), never left out. */
export interface FileReply {
  readonly files: readonly {
    readonly path: string;
    readonly text?: string;
    readonly error?: string;
    readonly truncated?: boolean;
  }[];
}
