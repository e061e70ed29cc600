import type { Feature } from '../feature.ts';
import { layProxy } from './iptables-targets.ts';
import { addNamed, lastHookOf, type NftAim, type NftWords, nftStatement, rejected } from './nft-core.ts';

const EARLY = [-310];
const TRACKED = [-150, -10, 10];

/** A chain with one rule whose effect can be seen. */
function chainWith(aim: NftAim, statement: string): string {
  const { network, stop, table } = aim;
  const name = network.unique('v');
  network.add({ kind: 'nft', ns: stop.ns, line: `add chain ${table} ${name}` });
  network.add({ kind: 'nft', ns: stop.ns, line: `add rule ${table} ${name} counter ${statement}` });
  return name;
}

function ttl({ ip, draw }: NftAim): string {
  return `${ip} ${ip === 'ip' ? 'ttl' : 'hoplimit'} set ${draw.int(30, 60)}`;
}

/** A rule behind it that makes to be seen what was set. */
function shownLater(aim: NftAim, condition: string): void {
  const { network, stop, table } = aim;
  const chain = network.unique('l');
  const base = { kind: 'nft', ns: stop.ns } as const;
  network.add({ ...base, line: `add chain ${table} ${chain} { type filter hook ${lastHookOf(aim)} priority 130; }` });
  network.add({ ...base, line: `add rule ${table} ${chain} ${condition} counter ${ttl(aim)}` });
}

function addressType({ ip }: NftAim): string {
  return ip === 'ip' ? 'ipv4_addr' : 'ipv6_addr';
}

const STATEMENTS: readonly NftWords[] = [
  {
    name: 'mark from map',
    counter: 'none',
    words: (aim) => {
      const { ip, ends, draw } = aim;
      const held = draw.chance(0.8) ? ends.source : ip === 'ip' ? '192.0.2.77' : '2001:db8:77::7';
      const map = draw.chance(0.5)
        ? `{ ${held} : 0x11 }`
        : addNamed(aim, 'map', `type ${addressType(aim)} : mark; elements = { ${held} : 0x12 }`);
      return `meta mark set ${ip} saddr map ${map} counter ${ttl(aim)}`;
    },
  },
  {
    name: 'mark from hash',
    words: (aim) => {
      shownLater(aim, 'meta mark 16-23');
      return `meta mark set jhash ${aim.ip} saddr . ${aim.ip} daddr mod 8 seed 0x${aim.draw.int(1, 99)} offset 16`;
    },
  },
  {
    name: 'mark bits',
    words: (aim) => {
      shownLater(aim, 'meta mark & 0x5 == 0x4');
      const set = aim.draw.pick(['(meta mark | 0x1) << 2', 'meta mark & 0xf0 | 0x4', 'meta mark | 0x25 counter meta mark set meta mark ^ 0x21']);
      return `meta mark set ${set}`;
    },
  },
  { name: 'no effect', countsOnly: true, words: ({ draw }) => draw.pick(['meta priority set 1:2', 'meta nftrace set 1', 'log prefix "nothing "']) },
  {
    name: 'dup',
    countsOnly: true,
    onNodes: true,
    hooks: ['PREROUTING', 'INPUT', 'FORWARD', 'POSTROUTING'],
    // Nobody routes it, so that the copy is lost; pods have a default route.
    words: ({ ip, table }) => (table.startsWith('inet') ? undefined : `dup to ${ip === 'ip' ? '203.0.113.77' : '2001:db8:77::7'}`),
  },
  {
    name: 'ct mark from map',
    priorities: TRACKED,
    words: (aim) => {
      shownLater(aim, 'ct mark 0x15');
      const { ip, ends, draw } = aim;
      return `ct mark set ${ip} saddr map { ${draw.chance(0.85) ? ends.source : ends.destination} : 0x15 }`;
    },
  },
  {
    name: 'tproxy',
    hooks: ['PREROUTING'],
    priorities: [-150],
    protocols: ['udp'],
    isUndecidable: true,
    words: (aim) => {
      const words = layProxy(aim);
      const port = words && / --on-port (\d+)/.exec(words)?.[1];
      if (!port) return undefined;
      const family = aim.table.startsWith('inet') ? ` ${aim.ip}` : '';
      return `meta l4proto udp tproxy${family} to :${port} meta mark set 0x80 accept`;
    },
  },
  { name: 'ct mark', priorities: TRACKED, words: ({ draw }) => `ct mark set ${draw.pick(['0x7', 'meta mark', 'ct mark | 0x4'])}` },
  {
    name: 'restore ct mark',
    priorities: TRACKED,
    words: (aim) => {
      shownLater(aim, 'meta mark 0x16');
      return 'ct mark set 0x16 meta mark set 0x1 meta mark set ct mark';
    },
  },
  { name: 'notrack', hooks: ['PREROUTING', 'OUTPUT'], priorities: EARLY, words: (aim) => {
      shownLater(aim, 'ct state untracked');
      return 'notrack';
    } },
  { name: 'ct zone', weight: 0.5, hooks: ['PREROUTING', 'OUTPUT'], priorities: EARLY, words: (aim) => {
      shownLater(aim, 'ct zone 1-2');
      return `ct zone set ${aim.draw.pick([1, 2])}`;
    } },
  { name: 'dscp', words: ({ ip, draw }) => `${ip} dscp set ${draw.pick(['ef', 'cs3', 'af41'])}` },
  { name: 'ecn', words: ({ ip, draw }) => `${ip} ecn set ${draw.pick(['ect0', 'ect1', 'not-ect'])}` },
  { name: 'ttl', words: ttl },
  {
    name: 'mss',
    protocols: ['tcp'],
    counter: 'none',
    hooks: ['FORWARD', 'OUTPUT'],
    words: (aim) => {
      shownLater(aim, 'tcp flags syn tcp option maxseg size 1-1250');
      return `tcp flags syn tcp option maxseg size set ${aim.draw.pick(['700', '1200', '9000', 'rt mtu'])} counter`;
    },
  },
  { name: 'log', words: (aim) => `log prefix "fidelity " ${ttl(aim)}` },
  { name: 'reject', weight: 0.7, hooks: ['INPUT', 'FORWARD', 'OUTPUT'], words: rejected },
  { name: 'drop', weight: 0.7, words: () => 'drop' },
  {
    name: 'vmap',
    counter: 'none',
    words: (aim) => {
      const { ip, ends } = aim;
      const chain = chainWith(aim, ttl(aim));
      const verdict = aim.draw.pick([`jump ${chain}`, `goto ${chain}`, 'accept', 'return', 'continue']);
      const key = aim.draw.pick([`${ip} saddr`, `${ip} daddr`]);
      const right = key.endsWith('saddr') ? ends.source : ends.destination;
      const miss = ip === 'ip' ? '192.0.2.66' : '2001:db8:66::6';
      const held = aim.draw.chance(0.8) ? right : miss;
      if (aim.draw.chance(0.5)) return `${key} vmap { ${held} : ${verdict} }`;
      const map = addNamed(aim, 'map', `type ${addressType(aim)} : verdict; elements = { ${held} : ${verdict} }`);
      return `${key} vmap ${map}`;
    },
  },
  {
    name: 'vmap with the rest',
    counter: 'none',
    words: (aim) => `meta l4proto vmap { sctp : drop, * : goto ${chainWith(aim, ttl(aim))} }`,
  },
  {
    name: 'vmap concatenated',
    counter: 'none',
    protocols: ['tcp', 'udp'],
    words: (aim) => {
      const { ip, ends, packet } = aim;
      const chain = chainWith(aim, ttl(aim));
      const definition = `type ${addressType(aim)} . inet_proto . inet_service : verdict; elements = { ${ends.destination} . ${packet.protocol} . ${ends.destinationPort} : goto ${chain} }`;
      return `${ip} daddr . meta l4proto . th dport vmap ${addNamed(aim, 'map', definition)}`;
    },
  },
  {
    name: 'dynamic set',
    counter: 'none',
    words: (aim) => {
      const { ip, draw } = aim;
      const set = addNamed(aim, 'set', `type ${addressType(aim)}; flags dynamic; timeout 1h; size ${draw.pick([100, 65535])};`);
      const look = draw.pick([`${ip} saddr`, `${ip} daddr`]);
      return `${draw.pick(['add', 'update'])} ${set} { ${ip} saddr } ${look} ${set} counter ${ttl(aim)}`;
    },
  },
  {
    name: 'dynamic set across hooks',
    hooks: ['PREROUTING'],
    words: (aim) => {
      const { ip, network, stop, table } = aim;
      const set = addNamed(aim, 'set', `type ${addressType(aim)}; flags dynamic; timeout 1h;`);
      const chain = network.unique('p');
      const line = `add chain ${table} ${chain} { type filter hook ${lastHookOf(aim)} priority 120; }`;
      network.add({ kind: 'nft', ns: stop.ns, line });
      const rule = `${ip} saddr ${set} counter ${ttl(aim)}`;
      network.add({ kind: 'nft', ns: stop.ns, line: `add rule ${table} ${chain} ${rule}`, feature: 'nft match dynamic set' });
      return `add ${set} { ${ip} saddr }`;
    },
  },
  { name: 'counter by name', words: (aim) => {
      const name = aim.network.unique('k');
      aim.network.add({ kind: 'nft', ns: aim.stop.ns, line: `add counter ${aim.table} ${name}` });
      return `counter name "${name}" ${ttl(aim)}`;
    },
  },
  {
    name: 'output mark',
    hooks: ['OUTPUT'],
    words: (aim) => {
      const mark = aim.draw.pick(['0x5', '0x9']);
      shownLater(aim, `meta mark ${mark}`);
      return `meta mark set ${mark}`;
    },
  },
]; // biome-ignore format: rows

export const NFT_STATEMENT_FEATURES: readonly Feature[] = STATEMENTS.map(nftStatement);
