import { type Address, parseAddress } from '../net/address.ts';
import { parseFileReply } from './file-reply.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: a FileReply over /etc/hosts, as the container sees it.
 * Source of truth: hosts(5).
 * Versions seen: kubelet 1.29 to 1.34 (`# Kubernetes-managed hosts file.`).
 * Not understood: a zone is dropped from an address (`fe80::1%lo0`).
 */

/** hosts(5). */
export interface HostsEntry {
  readonly address: Address;
  readonly names: readonly string[];
}

export function parseHostsFile(text: string): Parsed<readonly HostsEntry[]> {
  const files = parseFileReply(text);
  const value: HostsEntry[] = [];
  const unparsed: UnparsedLine[] = [...files.unparsed];
  for (const file of files.value) {
    (file.text ?? '').split('\n').forEach((raw, index) => {
      const line = raw.replace(/#.*$/, '').trim();
      if (line === '') return;
      const [written = '', ...names] = line.split(/\s+/);
      const address = parseAddress(written.split('%')[0]!);
      if (address && names.length > 0) value.push({ address, names });
      else unparsed.push({ line: index + 1, text: raw });
    });
  }
  return { value, unparsed };
}
