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
  readonly limits: { readonly timeoutMs: number; readonly maxBytes: number };
}

export type How =
  /** A tool, run in the place's network namespace. With `when`, it runs only if that file of the namespace has such a line; otherwise the reply is empty and complete. */
  | {
      readonly via: 'command';
      readonly argv: readonly string[];
      readonly when?: { readonly file: string; readonly hasLine: string };
    }
  /** Files read by the node side. `netns`: /proc/net and /proc/sys as that namespace sees them; `node`: the node's own file system; `container`: the pod's. Globs with `*` in one path part. The reply is a JSON `FileReply`. */
  | { readonly via: 'files'; readonly root: 'netns' | 'node' | 'container'; readonly paths: readonly string[] }
  | { readonly via: 'api'; readonly path: string; readonly query?: Readonly<Record<string, string>> }
  /** Computed by the node side: `sandboxes`. */
  | { readonly via: 'node-side'; readonly name: string };

/** The raw reply of `via: 'files'`, as JSON. A file that is not there is told with its error (`ENOENT`), never left out. */
export interface FileReply {
  readonly files: readonly {
    readonly path: string;
    readonly text?: string;
    readonly error?: string;
    readonly truncated?: boolean;
  }[];
}
