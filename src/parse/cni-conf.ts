import { type FileEntry, parseFileReply } from './file-reply.ts';
import { isObject, type JsonObject, stringOf } from './json-items.ts';
import type { Parsed } from './parsed.ts';

/*
 * Formats: a FileReply over /etc/cni/net.d/*; a FileReply over the directory /opt/cni/bin/ (or
 * another) and the files /var/lib/cni/networks/NETWORK/*.
 * Source of truth: containernetworking/cni SPEC.md and libcni/conf.go; plugins/ipam/host-local/backend/disk.
 * Versions seen: CNI 0.3.1 to 1.1.0; host-local 0.9 to 1.6.
 * Not understood: what a plug-in's own fields mean, which stay in `raw`.
 */

/** /etc/cni/net.d: the files in name order, as the runtime reads them (containernetworking SPEC, libcni ConfFiles). */
export interface CniConfiguration {
  readonly directory: string;
  readonly files: readonly CniFile[];
}

export interface CniFile {
  readonly name: string;
  /** undefined: not JSON, or not a CNI configuration; see `problem`. */
  readonly network?: {
    readonly name: string;
    readonly cniVersion?: string;
    readonly plugins: readonly { readonly type: string; readonly raw: Readonly<Record<string, unknown>> }[];
  };
  readonly problem?: string;
}

/** Allocations of host-local IPAM: /var/lib/cni/networks/NAME/ADDRESS, and the plug-ins present in /opt/cni/bin. */
export interface CniFiles {
  readonly binaries: readonly string[];
  readonly allocations: readonly { readonly network: string; readonly address: string; readonly container: string }[];
}

const DIRECTORY = '/etc/cni/net.d';

/**
 * The runtime reads one directory; which one, only its own configuration says. The first with configurations is taken,
 * in the order asked; configurations in a second one are told as unparsed, since they may be the ones in use.
 */
export function parseCniConfiguration(text: string): Parsed<CniConfiguration> {
  const reply = parseFileReply(text);
  const configurations = reply.value.filter((file) => file.text !== undefined && isConfigurationName(file.path));
  const existing = reply.value.find((file) => file.path.endsWith('/') && file.text !== undefined);
  const directory = directoryOf(configurations[0]?.path ?? existing?.path ?? `${DIRECTORY}/`);
  const files = configurations
    .filter((file) => directoryOf(file.path) === directory && !file.truncated)
    .toSorted((a, b) => (baseName(a.path) < baseName(b.path) ? -1 : 1))
    .map((file) => cniFileOf(baseName(file.path), file.text!));
  const elsewhere = configurations
    .filter((file) => directoryOf(file.path) !== directory)
    .map((file) => ({ line: 0, text: `${file.path} (another directory has configurations too)` }));
  return { value: { directory, files }, unparsed: [...reply.unparsed, ...elsewhere] };
}

/** What libcni's ConfFiles considers; the runtime takes the first by name. */
function isConfigurationName(path: string): boolean {
  return /\.(conf|conflist|json)$/.test(path);
}

function cniFileOf(name: string, text: string): CniFile {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return { name, problem: `not JSON: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (!isObject(document)) return { name, problem: 'not a JSON object' };
  const plugins = Array.isArray(document.plugins) ? document.plugins.filter(isObject) : [document];
  const untyped = plugins.findIndex((plugin) => stringOf(plugin.type) === undefined);
  if (plugins.length === 0) return { name, problem: 'the list of plug-ins is empty' };
  if (untyped >= 0) return { name, problem: `plug-in ${untyped + 1} has no type` };
  return { name, network: networkOf(document, plugins) };
}

function networkOf(document: JsonObject, plugins: readonly JsonObject[]): NonNullable<CniFile['network']> {
  const cniVersion = stringOf(document.cniVersion);
  return {
    name: stringOf(document.name) ?? '',
    ...(cniVersion !== undefined && { cniVersion }),
    plugins: plugins.map((raw) => ({ type: String(raw.type), raw })),
  };
}

const ALLOCATION = /\/var\/lib\/cni\/networks\/(?<network>[^/]+)\/(?<name>[^/]+)$/;

/** A path that ends in `/` lists the names in a directory, one a line: those of the plug-ins. */
export function parseCniFiles(text: string): Parsed<CniFiles> {
  const reply = parseFileReply(text);
  const binaries = new Set<string>();
  const allocations: CniFiles['allocations'][number][] = [];
  for (const file of reply.value) {
    if (file.path.endsWith('/')) for (const name of namesOf(file.text ?? '')) binaries.add(name);
    const allocation = allocationOf(file);
    if (allocation) allocations.push(allocation);
  }
  return { value: { binaries: [...binaries].toSorted(), allocations }, unparsed: reply.unparsed };
}

function namesOf(text: string): readonly string[] {
  return text.split('\n').filter((name) => name !== '');
}

/** The file's name is the address, its first line the container's id (host-local; IPv6 has `_` for `:` on some systems). */
function allocationOf(file: FileEntry): CniFiles['allocations'][number] | undefined {
  const match = ALLOCATION.exec(file.path)?.groups;
  if (!match || file.text === undefined) return undefined;
  if (match.name === 'lock' || match.name === '*' || match.name!.startsWith('last_reserved_ip')) return undefined;
  const container = file.text.split(/\r?\n/)[0]!.trim();
  return { network: match.network!, address: match.name!.replaceAll('_', ':'), container };
}

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
