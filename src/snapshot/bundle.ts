import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { pack } from 'tar-stream';
import type { Reply } from '../host/host.ts';
import { type IndexLine, indexLineOf, parseIndexLine } from './bundle-index.ts';
import { BUNDLE_FORMAT, BUNDLE_VERSION, type BundleManifest, parseManifest } from './bundle-manifest.ts';
import { readArchive } from './read-archive.ts';
import { redactReply } from './redact.ts';

/*
 * A bundle is a .tar.gz: manifest.json first, then index.jsonl (a line per reply), then each reply's raw bytes in a file
 * of its own, named after what was asked and where, so that a person can read it with tar. Raw outputs are parsed on
 * load: a mended parser improves old bundles.
 */

export interface DecodedBundle {
  readonly manifest: BundleManifest;
  readonly replies: readonly Reply[];
  /** What could not be read, in words for a person; empty where the bundle is whole. */
  readonly problems: readonly string[];
}

const INDEX = 'index.jsonl';
const MANIFEST = 'manifest.json';

/** The bundle's bytes. Secrets are redacted here, so that none is ever written. */
export async function encodeBundle(
  replies: readonly Reply[],
  about: Omit<BundleManifest, 'format' | 'version'>,
): Promise<Uint8Array> {
  const manifest: BundleManifest = { format: BUNDLE_FORMAT, version: BUNDLE_VERSION, ...about };
  const clean = replies.map(redactReply);
  const files = clean.map(fileName);
  const lines = clean.map((reply, index) => JSON.stringify(indexLineOf(reply, files[index]!)));
  const archive = pack();
  const mtime = new Date(manifest.createdAtMs);
  const add = (name: string, content: Uint8Array | string): void => {
    archive.entry({ name, mtime, mode: 0o644 }, Buffer.from(content));
  };
  add(MANIFEST, `${JSON.stringify(manifest, undefined, 2)}\n`);
  add(INDEX, lines.map((line) => `${line}\n`).join(''));
  clean.forEach((reply, index) => {
    if (reply.got === 'raw') add(files[index]!, reply.raw);
  });
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive) if (chunk instanceof Uint8Array) chunks.push(chunk);
  return promisify(gzip)(Buffer.concat(chunks));
}

/** `replies/0007-w1-host-routes-family=4.json`; 99 characters at most, as the oldest tar takes them. */
function fileName(reply: Reply, index: number): string {
  const { action, place, args } = reply.request;
  const where = place.node === '' ? 'cluster' : `${place.node}-${place.namespace}`;
  const given = Object.entries(args)
    .filter(([, value]) => value !== '' && value !== null)
    .map(([key, value]) => `${key}=${String(value)}`);
  const words = [where, action, ...given].join('-').replaceAll(/[^A-Za-z0-9=._-]+/g, '-');
  const isJson = reply.got === 'raw' && (reply.raw[0] === 0x7b || reply.raw[0] === 0x5b);
  return `replies/${String(index + 1).padStart(4, '0')}-${words.slice(0, 75)}.${isJson ? 'json' : 'txt'}`;
}

/** Throws an error with one clear line where the bytes are no bundle, damaged, or from a newer podtriage. */
export async function decodeBundle(bytes: Uint8Array): Promise<DecodedBundle> {
  const archive = await readArchive(bytes);
  const [first] = archive.files;
  if (archive.cut && (!first || (first.name === MANIFEST && !first.whole))) {
    throw new Error('the bundle was cut short before the end of its manifest.json: nothing of it can be read');
  }
  if (first?.name !== MANIFEST) throw new Error('this is no podtriage bundle: it does not begin with manifest.json');
  const manifest = parseManifest(textOf(first.content));
  const index = archive.files.find((file) => file.name === INDEX);
  const problems: string[] = [];
  if (archive.cut) problems.push('the bundle was cut short: what comes after the cut is missing');
  if (!index) problems.push('the bundle has no index.jsonl: none of its replies can be read');
  const lines = indexLines(textOf(index?.content ?? new Uint8Array()), problems);
  const byName = new Map(archive.files.map((file) => [file.name, file]));
  const replies: Reply[] = [];
  for (const line of lines) {
    const reply = replyOf(line, byName, problems);
    if (reply) replies.push(reply);
  }
  return { manifest, replies, problems };
}

function indexLines(text: string, problems: string[]): readonly IndexLine[] {
  const lines: IndexLine[] = [];
  text.split('\n').forEach((raw, at) => {
    if (raw === '') return;
    const line = parseIndexLine(raw);
    if (line) lines.push(line);
    else problems.push(`${INDEX}, line ${at + 1}: not readable`);
  });
  return lines;
}

/** A file that was cut is used as far as it goes, as a truncated reply. */
function replyOf(
  line: IndexLine,
  files: ReadonlyMap<string, { readonly content: Uint8Array; readonly whole: boolean }>,
  problems: string[],
): Reply | undefined {
  const { request, startedAtMs, tookMs } = line;
  if (line.got === 'nothing') {
    return { request, startedAtMs, tookMs, got: 'nothing', gap: line.gap, detail: line.detail };
  }
  const file = files.get(line.file);
  if (!file) {
    problems.push(`${line.file}: missing`);
    return undefined;
  }
  const isWhole = file.whole && file.content.length === line.bytes;
  if (!isWhole) problems.push(`${line.file}: ${file.content.length} of ${line.bytes} bytes`);
  const { exitCode, truncated, tool } = line;
  return {
    request,
    startedAtMs,
    tookMs,
    got: 'raw',
    raw: file.content,
    exitCode,
    truncated: truncated || !isWhole,
    tool,
  };
}

function textOf(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}
