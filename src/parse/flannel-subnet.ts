import { parseFileReply } from './file-reply.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: a FileReply over /run/flannel/subnet.env: `FLANNEL_SUBNET=10.244.0.1/24` and so on.
 * Source of truth: flannel's pkg/subnet/subnet.go (WriteSubnetFile).
 * Versions seen: flannel 0.22 to 0.27.
 * Not understood: nothing; values are kept as written.
 */

/** /run/flannel/subnet.env. Empty where the file is not there. */
export type FlannelSubnet = Readonly<Record<string, string>>;

export function parseFlannelSubnet(text: string): Parsed<FlannelSubnet> {
  const files = parseFileReply(text);
  const value: Record<string, string> = {};
  const unparsed: UnparsedLine[] = [...files.unparsed];
  for (const file of files.value) {
    (file.text ?? '').split('\n').forEach((line, index) => {
      const pair = /^(?<key>[A-Z0-9_]+)=(?<value>.*)$/.exec(line.trim())?.groups;
      if (pair) value[pair.key!] = pair.value!;
      else if (line.trim() !== '' && !line.startsWith('#')) unparsed.push({ line: index + 1, text: line });
    });
  }
  return { value, unparsed };
}
