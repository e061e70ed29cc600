import type { Reply } from '../host/host.ts';
import { isFileReply, parseFileReply } from '../parse/file-reply.ts';
import { isObject, type JsonObject, parseJsonItems } from '../parse/json-items.ts';
import { withoutWireguardKeys } from '../parse/wireguard.ts';
import { parseListItems } from './list-items.ts';
import { redactObject } from './redact-object.ts';
import { REDACTED, redactForms, redactText } from './redact-text.ts';

/** Facts of rules and tables, where `name: value` is no assignment; only a secret's own form is looked for. */
const TABLES: ReadonlySet<string> = new Set([
  'links',
  'routes',
  'rules',
  'neighbours',
  'fdb',
  'bridge-vlans',
  'iptables.legacy',
  'iptables.nft',
  'nft.tables',
  'nft.outline',
  'nft.table',
  'iptables.chain',
  'nft.chains',
  'nft.chain',
  'nft.sets',
  'ipsets',
  'sockets',
  'qdiscs',
  'tc-filters',
  'drops.stop',
  'rules.trace.stop',
]);

/** The reply as a bundle may hold it: what podtriage reasons with stays, secrets go. Pure; redacting twice changes nothing more. */
export function redactReply(reply: Reply): Reply {
  if (reply.got === 'nothing') return { ...reply, detail: redactText(reply.detail) };
  // Bytes, not text; only the frames of podtriage's own attempts are kept of a capture in the first place.
  if (reply.request.action === 'capture.stop') return reply;
  const text = new TextDecoder().decode(reply.raw);
  const clean = redactRaw(reply.request.action, text);
  if (clean.text === text) return reply;
  return { ...reply, raw: new TextEncoder().encode(clean.text), truncated: reply.truncated || clean.cut };
}

interface Redacted {
  readonly text: string;
  /** What could not be read, and so not be redacted either, was left out. */
  readonly cut: boolean;
}

function redactRaw(action: string, text: string): Redacted {
  if (action === 'wireguard') return { text: withoutWireguardKeys(text, REDACTED), cut: false };
  if (TABLES.has(action)) return { text: redactForms(text), cut: false };
  if (action.startsWith('api.') && action !== 'api.log') return redactApi(text);
  if (isFileReply(text)) return redactFiles(text);
  return { text: redactText(text), cut: false };
}

function redactApi(text: string): Redacted {
  const document = parseJson(text);
  if (Array.isArray(document)) {
    return { text: JSON.stringify(document.map((item) => (isObject(item) ? redactObject(item) : item))), cut: false };
  }
  const pages = parseJsonItems(text);
  if (pages.unparsed.length === 0) {
    return { text: pages.value.map((page) => JSON.stringify(redactPage(page))).join('\n'), cut: false };
  }
  const items = parseListItems(text).value.map(redactObject);
  return { text: JSON.stringify({ kind: 'List', apiVersion: 'v1', items }), cut: true };
}

function redactPage(page: JsonObject): JsonObject {
  if (!Array.isArray(page.items)) return redactObject(page);
  return { ...page, items: page.items.map((item) => (isObject(item) ? redactObject(item) : item)) };
}

function redactFiles(text: string): Redacted {
  const document = parseJson(text);
  if (isObject(document) && Array.isArray(document.files)) {
    return { text: JSON.stringify({ ...document, files: document.files.map(redactFile) }), cut: false };
  }
  const files = parseFileReply(text);
  return { text: JSON.stringify({ files: files.value.map(redactFile) }), cut: true };
}

function redactFile(file: unknown): unknown {
  return isObject(file) && typeof file.text === 'string' ? { ...file, text: redactText(file.text) } : file;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
