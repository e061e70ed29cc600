/**
 * Sends single packets through the rules and writes down which rules' counters rose and what conntrack made of them:
 *   node probe.ts PROBES.json FOLDER        in the node's network namespace; writes FOLDER/probes.json
 * The namespaces `client`, `web` and `outside` take what arrives without an answer, so that only the one packet counts.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { parseIptablesSave } from '../../../src/parse/iptables-save.ts';
import type { Probe, Probed } from '../probe.ts';

const SENDER = `
import socket, sys, time
source, to, protocol = sys.argv[1], sys.argv[2], sys.argv[5]
sport, port, user, mark = (int(sys.argv[i]) for i in (3, 4, 6, 7))
family = socket.AF_INET6 if ':' in to else socket.AF_INET
def marked():
    if mark: s.setsockopt(socket.SOL_SOCKET, 36, mark)  # SO_MARK
def send(data, end):
    try: s.sendto(data, end)
    except OSError: pass  # what a rule of the output hook drops is not permitted
if user: __import__('os').setuid(user)
if protocol == 'icmp':
    s = socket.socket(family, socket.SOCK_RAW, 58 if ':' in to else 1)
    echo = [128, 0, 0, 0, 0, 0, 0, 7] if ':' in to else [8, 0, 0xf7, 0xf8, 0, 0, 0, 7]
    marked(); s.bind((source, 0)) if source else None
    send(bytes(echo), (to, 0))
elif protocol == 'udp':
    s = socket.socket(family, socket.SOCK_DGRAM); marked(); s.bind((source, sport)); send(b'x', (to, port))
else:
    kind = 132 if protocol == 'sctp' else 6
    s = socket.socket(family, socket.SOCK_STREAM, kind); marked(); s.bind((source, sport)); s.setblocking(False); s.connect_ex((to, port))
time.sleep(0.06)
`;

const [file, folder] = process.argv.slice(2);
const probes = JSON.parse(readFileSync(file!, 'utf8')) as Probe[];
let port = 40_000;
const done: Probed[] = [];
for (const probe of probes) {
  const sourcePort = probe.sourcePort ?? port++;
  const before = counters(probe);
  send(probe, sourcePort);
  const after = counters(probe);
  const rose = [...after].filter(([rule, packets]) => packets > (before.get(rule) ?? 0)).map(([rule]) => rule);
  const device = deviceOf(probe);
  done.push({
    ...probe,
    ...(device === undefined ? {} : { device }),
    sourcePort,
    rose: rose.toSorted(),
    ...translation(probe, sourcePort),
  });
}
writeFileSync(`${folder}/probes.json`, `[\n${done.map((one) => JSON.stringify(one)).join(',\n')}\n]\n`);

/** The node's end of the cable to that namespace. */
function deviceOf({ from }: Probe): string | undefined {
  if (from === 'node') return undefined;
  const index = run(['ip', 'netns', 'exec', from, 'cat', '/sys/class/net/eth0/iflink']).trim();
  const links = JSON.parse(run(['ip', '-j', 'link', 'show'])) as { ifindex: number; ifname: string }[];
  return links.find(({ ifindex }) => `${ifindex}` === index)?.ifname;
}

/** Packets of every rule of both backends, by `nat-nft CHAIN#3`. */
function counters({ to }: Probe): Map<string, number> {
  const prefix = to.includes(':') ? 'ip6tables' : 'iptables';
  const found = new Map<string, number>();
  for (const backend of ['legacy', 'nft']) {
    if (backend === 'legacy' && run(['cat', `/proc/net/${prefix.replace('tables', '_tables')}_names`]) === '') continue;
    for (const table of parseIptablesSave(run([`${prefix}-${backend}-save`, '-c'])).value.tables) {
      for (const chain of table.chains) {
        for (const rule of chain.rules) {
          found.set(`${table.name}-${backend} ${chain.name}#${rule.number}`, rule.packets ?? 0);
        }
      }
    }
  }
  return found;
}

function send(probe: Probe, sourcePort: number): void {
  const { from, source, to, port: target = 0, protocol = 'tcp', user = 0, mark = 0 } = probe;
  const argv = [
    'python3',
    '-c',
    SENDER,
    source ?? '',
    to,
    `${sourcePort}`,
    `${target}`,
    protocol,
    `${user}`,
    `${mark}`,
  ];
  run(from === 'node' ? argv : ['ip', 'netns', 'exec', from, ...argv]);
}

/** From the connection's entry: where the packet goes to, and the address that it goes out with. */
function translation({ to, port: target, protocol = 'tcp' }: Probe, sourcePort: number): Pick<Probed, 'entry'> {
  if (protocol === 'icmp') return {};
  const list = run(['conntrack', '-L', '-f', to.includes(':') ? 'ipv6' : 'ipv4', '-p', protocol]).split('\n');
  const line = list.find((one) => one.includes(`dst=${to} sport=${sourcePort} dport=${target} `));
  const reply = /.* src=(?<to>\S+) dst=(?<source>\S+) sport=(?<port>\d+) dport=(?<sourcePort>\d+)/.exec(line ?? '');
  if (!reply?.groups) return {};
  return { entry: { to: reply.groups.to!, port: Number(reply.groups.port), source: reply.groups.source! } };
}

function run(argv: readonly string[]): string {
  return execFileSync(argv[0]!, argv.slice(1), { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
}
