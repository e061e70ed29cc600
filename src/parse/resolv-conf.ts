import { type Address, parseAddress } from '../net/address.ts';
import { parseFileReply } from './file-reply.ts';
import type { Parsed, UnparsedLine } from './parsed.ts';

/*
 * Format: a FileReply over /etc/resolv.conf, as the container sees it.
 * Source of truth: resolv.conf(5); kubelet's pkg/kubelet/network/dns/dns.go writes it for pods.
 * Versions seen: kubelet 1.29 to 1.34, systemd-resolved.
 * Not understood: `sortlist`, and a nameserver's port (`[addr]:port`, not in glibc): unparsed.
 */

/** resolv.conf(5). glibc reads three nameservers at most; all are kept here, in order. */
export interface ResolvConf {
  readonly nameservers: readonly Address[];
  readonly search: readonly string[];
  readonly options: Readonly<Record<string, string>>; // ndots: '5', timeout …; a flag has ''
}

export function parseResolvConf(text: string): Parsed<ResolvConf> {
  const files = parseFileReply(text);
  const draft = {
    nameservers: [] as Address[],
    search: [] as readonly string[],
    options: {} as Record<string, string>,
  };
  const unparsed: UnparsedLine[] = [...files.unparsed];
  for (const file of files.value) {
    (file.text ?? '').split('\n').forEach((raw, index) => {
      const line = raw.trim();
      if (line === '' || line.startsWith('#') || line.startsWith(';')) return;
      if (!readDirective(line.split(/\s+/), draft)) unparsed.push({ line: index + 1, text: line });
    });
  }
  return { value: draft, unparsed };
}

function readDirective(
  [directive, ...values]: readonly string[],
  draft: { nameservers: Address[]; search: readonly string[]; options: Record<string, string> },
): boolean {
  switch (directive) {
    case 'nameserver': {
      // A link-local server's zone (`fe80::1%eth0`) is dropped: the address is what is asked for.
      const address = parseAddress((values[0] ?? '').split('%')[0]!);
      if (address) draft.nameservers.push(address);
      return address !== undefined;
    }
    case 'search': // the last one counts
    case 'domain':
      draft.search = values;
      return true;
    case 'options':
      for (const option of values) {
        const [name, ...value] = option.split(':');
        draft.options[name!] = value.join(':');
      }
      return true;
    default:
      return false;
  }
}
