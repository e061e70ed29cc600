import type { Ran } from './node-side-run.ts';

/** `ip utility, iproute2-6.1.0`; bridge says `bridge utility, 6.1.0`. */
const IPROUTE2 = / utility, (?:iproute2-)?(?<iproute2>[\w.+~-]+)/;
const IPTABLES = /v(?<version>[\w.+~-]+) \((?<backend>nf_tables|legacy)\)/;

/** How a tool tells its version, and which words of it are kept. */
const VERSION_OF: Readonly<Record<string, { readonly argv: readonly string[]; readonly pattern: RegExp }>> = {
  ip: { argv: ['ip', '-V'], pattern: IPROUTE2 },
  bridge: { argv: ['bridge', '-V'], pattern: IPROUTE2 },
  tc: { argv: ['tc', '-V'], pattern: IPROUTE2 },
  ss: { argv: ['ss', '-V'], pattern: IPROUTE2 },
  nft: { argv: ['nft', '--version'], pattern: /nftables v[\w.+~-]+/ },
  ipset: { argv: ['ipset', '--version'], pattern: /ipset v[\w.+~-]+/ },
  bpftrace: { argv: ['bpftrace', '--version'], pattern: /bpftrace v[\w.+~-]+/ },
  dmesg: { argv: ['dmesg', '-V'], pattern: /util-linux [\w.+~-]+/ },
  ping: { argv: ['ping', '-V'], pattern: /iputils[ -][\w.+~-]+/ },
};

export interface Tools {
  /** `iproute2-6.1.0`, `iptables v1.8.9 (nf_tables)`; '' where it does not tell. Asked once per tool. */
  versionOf(tool: string): Promise<string>;
}

export function createTools(run: (argv: readonly string[]) => Promise<Ran>): Tools {
  const known = new Map<string, Promise<string>>();
  return {
    versionOf(tool) {
      const before = known.get(tool);
      if (before) return before;
      const version = askVersion(tool, run);
      known.set(tool, version);
      return version;
    },
  };
}

async function askVersion(tool: string, run: (argv: readonly string[]) => Promise<Ran>): Promise<string> {
  const question =
    VERSION_OF[tool] ?? (/^ip6?tables-/.test(tool) ? { argv: [tool, '-V'], pattern: IPTABLES } : undefined);
  if (!question) return '';
  const ran = await run(question.argv);
  if (ran.ended !== 'exited') return '';
  return versionIn(`${Buffer.from(ran.stdout).toString('utf8')}\n${ran.stderr}`, question.pattern);
}

/** What is kept of a tool's version text. */
function versionIn(text: string, pattern: RegExp): string {
  const match = pattern.exec(text);
  const { iproute2, version, backend } = match?.groups ?? {};
  if (iproute2 !== undefined) return `iproute2-${iproute2}`;
  if (version !== undefined) return `iptables v${version} (${backend})`;
  return match?.[0] ?? '';
}
