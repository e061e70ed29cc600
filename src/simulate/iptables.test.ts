import { describe, expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { HookName, HookOutcome } from './hook.ts';
import { iptablesHookEntries } from './iptables.ts';
import { buildHookInput, ECHO, udpTo } from './testing/build-hook-input.ts';
import { snapshotOfTexts } from './testing/build-snapshot.ts';

const W1 = hostOf('w1');

function snapshotWith(table: string, lines: readonly string[]): Snapshot {
  const text = [`*${table}`, ...lines, 'COMMIT', ''].join('\n');
  return snapshotOfTexts([
    ['iptables.nft', W1, { family: 4, table: '' }, text],
    ['iptables.legacy', W1, { family: 4 }, ''],
  ]);
}

type Overrides = Parameters<typeof buildHookInput>[1];

function run(table: string, hook: HookName, lines: readonly string[], input: Overrides = {}): readonly HookOutcome[] {
  const snapshot = snapshotWith(table, lines);
  const { entries } = iptablesHookEntries(snapshot, W1, 4);
  const entry = entries.find((one) => one.hook === hook && one.name === `${table}-nft`)!;
  return entry.evaluate(buildHookInput(snapshot, { hook, ...input }));
}

const forward = (lines: readonly string[], input?: Overrides) =>
  run('filter', 'forward', [':FORWARD ACCEPT [0:0]', ...lines], input);

const verdicts = (outcomes: readonly HookOutcome[]) =>
  outcomes.map((outcome) => [outcome.verdict.kind, outcome.chance.min, outcome.chance.max]);

const ACCEPTED = [['accept', 1, 1]];
const DROPPED = [['drop', 1, 1]];
const EITHER = expect.arrayContaining([
  ['drop', 0, 1],
  ['accept', 0, 1],
]);

describe('traversal', () => {
  it('goes on with the next rule of the middle chain after a call of depth 2 returns', () => {
    const outcomes = forward([
      ':A - [0:0]',
      ':B - [0:0]',
      '-A FORWARD -j A',
      '-A A -j B',
      '-A A -j DROP',
      '-A B -p udp -j ACCEPT',
    ]);
    expect(verdicts(outcomes)).toEqual(DROPPED);
    expect(outcomes[0]!.steps.map((step) => step.at)).toEqual([
      'forward filter FORWARD#1',
      'forward filter A#1',
      'forward filter A#2',
    ]);
  });

  it('leaves the calling chain where a chain that was gone to ends', () => {
    const lines = [':A - [0:0]', ':B - [0:0]', '-A FORWARD -j A', '-A FORWARD -j ACCEPT', '-A A -g B', '-A A -j DROP'];
    expect(verdicts(forward(lines))).toEqual(ACCEPTED);
    expect(verdicts(forward(lines.map((line) => line.replace('-g B', '-j B'))))).toEqual(DROPPED);
  });

  it('takes the policy at the end, and after RETURN in a built-in chain', () => {
    for (const lines of [[], ['-A FORWARD -j RETURN', '-A FORWARD -j ACCEPT']]) {
      const [outcome] = run('filter', 'forward', [':FORWARD DROP [4:240]', ...lines]);
      expect(outcome!.verdict.kind).toBe('drop');
      expect(outcome!.steps.at(-1)).toMatchObject({
        kind: 'policy',
        values: { table: 'filter', chain: 'FORWARD', policy: 'DROP', packets: 4, backend: 'iptables-nft' },
        source: { text: ':FORWARD DROP' },
      });
    }
  });

  it('does not end at MARK, CONNMARK, LOG, NFLOG, TCPMSS, CT and TRACE', () => {
    const outcomes = forward([
      '-A FORWARD -j MARK --set-xmark 0x4000/0x4000',
      '-A FORWARD -j CONNMARK --save-mark --nfmask 0xffffffff --ctmask 0xffffffff',
      '-A FORWARD -j LOG --log-prefix "x "',
      '-A FORWARD -j NFLOG --nflog-group 5',
      '-A FORWARD -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --clamp-mss-to-pmtu',
      '-A FORWARD -j CT --helper ftp',
      '-A FORWARD -j TRACE',
      '-A FORWARD -m mark --mark 0x4000/0x4000 -j DROP',
    ]);
    expect(verdicts(outcomes)).toEqual(DROPPED);
    expect(outcomes[0]!.meta).toMatchObject({ mark: 0x4000, connmark: 0x4000 });
    expect(outcomes[0]!.steps[0]!.changes).toEqual([{ field: 'mark', from: 0, to: 0x4000 }]);
  });

  it('shows each matched rule as its own line', () => {
    const text = '-A FORWARD -s 10.244.0.0/16 -m comment --comment "no way out" -j DROP';
    const [outcome] = forward([text]);
    expect(outcome!.steps[0]).toMatchObject({
      source: { line: 3, text, request: { action: 'iptables.nft' } },
      values: { table: 'filter', chain: 'FORWARD', ruleNumber: 1, ruleText: text, target: 'DROP', verdict: 'drop' },
    });
  });

  it('walks both ways at an unmodelled target, for that rule alone', () => {
    const hmark = '-j HMARK --hmark-tuple ct --hmark-rnd 0x0000cafe --hmark-mod 10';
    const outcomes = forward([`-A FORWARD -p tcp ${hmark}`, '-A FORWARD -j DROP']);
    expect(verdicts(outcomes)).toEqual(
      expect.arrayContaining([
        ['drop', 0, 1],
        ['unknown', 0, 1],
      ]),
    );
    expect(verdicts(forward([`-A FORWARD -p udp ${hmark}`, '-A FORWARD -j DROP']))).toEqual(DROPPED);
  });

  it('is unsure in a chain with a line that it does not understand, and only there', () => {
    const broken = ['-A FORWARD -p udp -j A', '-A A -m comment --comment "open'];
    const calls = (protocol: string) => [':A - [0:0]', ...broken.map((line) => line.replace('udp', protocol))];
    expect(verdicts(forward(calls('udp')))).toEqual(ACCEPTED);
    expect(
      verdicts(forward(calls('tcp')))
        .map(([kind]) => kind)
        .toSorted(),
    ).toEqual(['accept', 'unknown']);
  });
});

describe('three-valued rules', () => {
  it.each([
    '-m recent --rcheck --seconds 10800 --name X --mask 255.255.255.255 --rsource',
    '-m limit --limit 5/sec',
    '-m hashlimit --hashlimit-upto 5/sec --hashlimit-name x --hashlimit-mode srcip',
    '-m string --string "abc" --algo bm',
    '-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"',
    '-m time --timestart 10:00:00',
    '-m u32 --u32 "0x2&0xffff=0x1"',
    '-m set --match-set unseen src',
    '-m conntrack --ctexpire 5',
    '-m newmodule --whatever',
    '-m foo [unsupported revision]',
  ])('is undecided at %s, names it, and walks both ways', (match) => {
    const outcomes = forward([`-A FORWARD ${match} -j DROP`]);
    expect(verdicts(outcomes)).toEqual(EITHER);
    for (const outcome of outcomes) {
      expect(outcome.fork).toBe('undecided');
      expect(outcome.steps[0]).toMatchObject({ matched: 'unknown', values: { undecided: match.split(' ')[1] } });
    }
  });

  it('is certain again where both ways of an undecided rule end alike', () => {
    for (const target of ['LOG', 'ACCEPT', 'RETURN']) {
      const outcomes = forward([`-A FORWARD -m limit --limit 5/sec -j ${target}`]);
      expect(verdicts(outcomes)).toEqual(ACCEPTED);
      expect(outcomes[0]!.fork).toBeUndefined();
    }
  });

  it('keeps chances exact behind an undecided rule without effect', () => {
    const outcomes = forward([
      ':A - [0:0]',
      '-A FORWARD -m limit --limit 5/sec -j A',
      '-A FORWARD -m statistic --mode random --probability 0.25000000000 -j DROP',
      '-A A -m recent --rcheck --name x -j LOG',
    ]);
    expect(verdicts(outcomes)).toEqual(
      expect.arrayContaining([
        ['drop', 0.25, 0.25],
        ['accept', 0.75, 0.75],
      ]),
    );
  });

  it('is not multiplied by many undecided rules', () => {
    const lines = Array.from({ length: 40 }, (_, i) => `-A FORWARD -m limit --limit ${i + 1}/sec -j LOG`);
    expect(forward([...lines, '-A FORWARD -m limit --limit 5/sec -j DROP'])).toHaveLength(2);
  });

  it('gives nth one chance in every', () => {
    const outcomes = forward(['-A FORWARD -m statistic --mode nth --every 4 --packet 0 -j DROP']);
    expect(outcomes.find((one) => one.verdict.kind === 'drop')!.chance).toEqual({ min: 0.25, max: 0.25 });
  });

  it('may accept or queue where NFQUEUE has --queue-bypass', () => {
    expect(verdicts(forward(['-A FORWARD -j NFQUEUE --queue-num 1 --queue-bypass'])).map(([kind]) => kind)).toEqual([
      'queue',
      'accept',
    ]);
    expect(verdicts(forward(['-A FORWARD -j NFQUEUE --queue-num 1']))).toEqual([['queue', 1, 1]]);
  });
});

describe('matches', () => {
  const drops = (rule: string, input?: Overrides) => verdicts(forward([`-A FORWARD ${rule} -j DROP`], input));

  it.each([
    ['-s 10.244.0.0/16', true],
    ['! -s 10.244.0.0/16', false],
    ['-d 10.244.1.7/32 -p tcp -m tcp --dport 8080', true],
    ['-p tcp -m tcp ! --dport 8080', false],
    ['-p tcp -m tcp --dport 8000:8100', true],
    ['-p udp -m udp --dport 8080', false],
    ['! -p udp', true],
    ['-i cni+', true],
    ['! -i cni0', false],
    ['-o flannel.1', false],
    ['-f', false],
    ['-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN', true],
    ['-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN', false],
    ['-p tcp -m multiport --dports 80,443,8000:8100', true],
    ['-p tcp -m multiport --sports 53', false],
    ['-p icmp -m icmp --icmp-type 8', false],
    ['-m addrtype --dst-type LOCAL', false],
    ['-m addrtype ! --dst-type LOCAL --src-type UNICAST', true],
    ['-m conntrack --ctstate INVALID', false],
    ['-m conntrack --ctstate RELATED,ESTABLISHED', false],
    ['-m conntrack ! --ctstate RELATED,ESTABLISHED,DNAT', true],
    ['-m state --state NEW', true],
    ['-m conntrack --ctdir REPLY', false],
    ['-m conntrack --ctorigdst 10.244.1.7', true],
    ['-m conntrack --ctstatus CONFIRMED', false],
    ['-m mark --mark 0x4000/0x4000', false],
    ['-m mark ! --mark 0x4000/0x4000', true],
    ['-m connmark --mark 0x0/0xff', true],
    ['-m nfacct --nfacct-name  ct_state_invalid_dropped_pkts', true],
    ['-m comment --comment "hello world"', true],
    ['-m length --length 40:100', true],
    ['-m length ! --length 40:100', false],
    ['-m ttl --ttl-lt 5', false],
    ['-m ttl --ttl-eq 64', true],
    ['-m dscp --dscp 0x10', false],
    ['-m tos --tos 0x00/0x3f', true],
    ['-m iprange --src-range 10.244.0.1-10.244.0.9', true],
    ['-m iprange --dst-range 10.244.0.1-10.244.0.9', false],
    ['-m pkttype --pkt-type broadcast', false],
    ['-m tcpmss --mss 1400:1500', true],
    ['-m physdev --physdev-is-bridged', false],
    ['-m physdev ! --physdev-is-bridged', true],
    ['-m physdev --physdev-in veth1', false],
    ['-m physdev ! --physdev-in veth1', true],
    ['-m owner --uid-owner 1337', false],
    ['-m recent --set --name X --mask 255.255.255.255 --rsource', true],
  ])('%s', (rule, matches) => {
    expect(drops(rule)).toEqual(matches ? DROPPED : ACCEPTED);
  });

  it('does not read ctstate INVALID as always, and sees the DROP behind ESTABLISHED ACCEPT', () => {
    const lines = [
      '-A FORWARD -m conntrack --ctstate INVALID -j DROP',
      '-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT',
      '-A FORWARD -d 10.244.1.7/32 -j DROP',
    ];
    const [fresh] = forward(lines);
    expect(fresh).toMatchObject({ verdict: { kind: 'drop' }, steps: [{ values: { ruleNumber: 3 } }] });
    expect(verdicts(forward(lines, { meta: { conntrack: 'established' } }))).toEqual(ACCEPTED);
    const [invalid] = forward(lines, { meta: { conntrack: 'invalid' } });
    expect(invalid).toMatchObject({ verdict: { kind: 'drop' }, steps: [{ values: { ruleNumber: 1 } }] });
  });

  it('compares the source port of a kernel-chosen port only where that is sure', () => {
    expect(drops('-p tcp -m tcp --sport 1024:65535')).toEqual(DROPPED);
    expect(drops('-p tcp -m tcp --sport 1:1023')).toEqual(ACCEPTED);
    expect(drops('-p tcp -m tcp --sport 40000')).toEqual(ACCEPTED);
    expect(drops('-p tcp -m tcp --sport 30000:32767')).toEqual(ACCEPTED);
    expect(drops('-p tcp -m tcp --sport 32768:45000')).toEqual(EITHER);
  });

  it('knows the state of a translated connection', () => {
    expect(drops('-m conntrack --ctstate DNAT', { meta: { nat: ['destination'] } })).toEqual(DROPPED);
    expect(drops('-m conntrack --ctstate SNAT', { meta: { nat: ['destination'] } })).toEqual(ACCEPTED);
  });

  it('decides a socket owner only for the host’s own packets, and then only if told', () => {
    const output = (socket: object) =>
      verdicts(
        run('filter', 'output', [':OUTPUT ACCEPT [0:0]', '-A OUTPUT -m owner --uid-owner 1337 -j DROP'], {
          socket,
        } as Overrides),
      );
    expect(output({})).toEqual(EITHER);
    expect(output({ uid: 1337 })).toEqual(DROPPED);
    expect(output({ uid: 0 })).toEqual(ACCEPTED);
  });

  it('sees bridge ports where br_netfilter called', () => {
    const ports = { physicalInput: 'veth1', physicalOutput: 'veth2' };
    expect(drops('-m physdev --physdev-is-bridged', ports)).toEqual(DROPPED);
    expect(drops('-m physdev --physdev-in veth+', ports)).toEqual(DROPPED);
    expect(drops('-m physdev ! --physdev-out veth2', ports)).toEqual(ACCEPTED);
  });

  it('passes the device to the address type where the rule limits it', () => {
    const asked: unknown[] = [];
    const addressType = (_: string, device?: string) => {
      asked.push(device);
      return 'local' as const;
    };
    drops('-m addrtype --dst-type LOCAL --limit-iface-in', { addressType });
    drops('-m addrtype --dst-type LOCAL', { addressType });
    expect(asked).toEqual(['cni0', undefined]);
    expect(drops('-m addrtype --dst-type LOCAL', { addressType: () => 'unknown' })).toEqual(EITHER);
  });

  it('rpfilter looks for the way back, and is undecided without the routes', () => {
    const rule = '-A FORWARD -m rpfilter --invert -j DROP';
    const standard = [
      { priority: 0, src: 'all', table: '255' },
      { priority: 32766, src: 'all', table: '254' },
    ];
    const text = `*filter\n:FORWARD ACCEPT [0:0]\n${rule}\nCOMMIT\n`;
    const at = (routes?: string) => {
      const snapshot = snapshotOfTexts([
        ['iptables.nft', W1, { family: 4, table: '' }, text],
        ['iptables.legacy', W1, { family: 4 }, ''],
        ...(routes === undefined
          ? []
          : ([
              ['routes', W1, { family: 4 }, routes],
              ['rules', W1, { family: 4 }, JSON.stringify(standard)],
            ] as const)),
      ]);
      return verdicts(iptablesHookEntries(snapshot, W1, 4).entries[0]!.evaluate(buildHookInput(snapshot)));
    };
    expect(at('10.244.0.0/24 dev cni0\n')).toEqual(ACCEPTED);
    expect(at('10.244.0.0/24 dev eth0\n')).toEqual(DROPPED);
    expect(at('10.9.0.0/24 dev cni0\n')).toEqual(DROPPED);
    expect(at()).toEqual(EITHER);
  });

  it('reads ICMP types', () => {
    expect(drops('-p icmp -m icmp --icmp-type 8', { packet: { l4: ECHO } })).toEqual(DROPPED);
    expect(drops('-p icmp -m icmp --icmp-type 3/4', { packet: { l4: ECHO } })).toEqual(ACCEPTED);
    expect(drops('-p icmp -m icmp --icmp-type any', { packet: { l4: ECHO } })).toEqual(DROPPED);
  });
});

describe('targets', () => {
  it('REJECT tells what the sender will see', () => {
    expect(forward(['-A FORWARD -p tcp -j REJECT --reject-with tcp-reset'])[0]!.verdict).toEqual({
      kind: 'reject',
      with: 'tcp-reset',
    });
    expect(forward(['-A FORWARD -j REJECT --reject-with icmp-host-prohibited'])[0]!.verdict).toEqual({
      kind: 'reject',
      with: { type: 3, code: 10 },
    });
    expect(forward(['-A FORWARD -j REJECT'])[0]!.verdict).toEqual({ kind: 'reject', with: { type: 3, code: 3 } });
  });

  const SERVICE = [
    ':PREROUTING ACCEPT [0:0]',
    ':OUTPUT ACCEPT [0:0]',
    ':POSTROUTING ACCEPT [0:0]',
    ':KUBE-SERVICES - [0:0]',
    ':KUBE-SVC-X - [0:0]',
    ':KUBE-SEP-A - [0:0]',
    ':KUBE-SEP-B - [0:0]',
    ':KUBE-SEP-C - [0:0]',
    ':KUBE-MARK-MASQ - [0:0]',
    '-A PREROUTING -m comment --comment "kubernetes service portals" -j KUBE-SERVICES',
    '-A KUBE-SERVICES -d 10.96.0.10/32 -p udp -m comment --comment "x" -m udp --dport 53 -j KUBE-SVC-X',
    '-A KUBE-SVC-X ! -s 10.244.0.0/16 -d 10.96.0.10/32 -p udp -m udp --dport 53 -j KUBE-MARK-MASQ',
    '-A KUBE-SVC-X -m statistic --mode random --probability 0.33333333349 -j KUBE-SEP-A',
    '-A KUBE-SVC-X -m statistic --mode random --probability 0.50000000000 -j KUBE-SEP-B',
    '-A KUBE-SVC-X -j KUBE-SEP-C',
    ...['A', 'B', 'C'].flatMap((name, i) => [
      `-A KUBE-SEP-${name} -s 10.244.0.${i + 2}/32 -j KUBE-MARK-MASQ`,
      `-A KUBE-SEP-${name} -p udp -m udp -j DNAT --to-destination 10.244.0.${i + 2}:5353`,
    ]),
    '-A KUBE-MARK-MASQ -j MARK --set-xmark 0x4000/0x4000',
  ];

  it('makes each backend of a Service a branch with its probability', () => {
    const packet = { destination: '10.96.0.10', l4: udpTo(53) };
    const outcomes = run('nat', 'prerouting', SERVICE, { packet });
    expect(outcomes.map((one) => [one.nat?.to.address, Number(one.chance.min.toFixed(3)), one.fork])).toEqual([
      ['10.244.0.2', 0.333, 'random'],
      ['10.244.0.3', 0.333, 'random'],
      ['10.244.0.4', 0.333, 'random'],
    ]);
    expect(outcomes[0]!.nat).toEqual({ kind: 'destination', to: { address: '10.244.0.2', port: 5353 } });
    expect(outcomes.map((one) => one.meta.mark)).toEqual([0, 0, 0]);
  });

  it('marks for masquerade by the source: from outside, and a pod that picks itself', () => {
    const outside = { source: '192.0.2.1', destination: '10.96.0.10', l4: udpTo(53) };
    expect(run('nat', 'prerouting', SERVICE, { packet: outside }).map((one) => one.meta.mark)).toEqual([
      0x4000, 0x4000, 0x4000,
    ]);
    const self = { source: '10.244.0.3', destination: '10.96.0.10', l4: udpTo(53) };
    expect(run('nat', 'prerouting', SERVICE, { packet: self }).map((one) => one.meta.mark)).toEqual([0, 0x4000, 0]);
  });

  it('does not translate what is no Service', () => {
    const outcomes = run('nat', 'prerouting', SERVICE, { packet: { destination: '10.96.0.11', l4: udpTo(53) } });
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]!.nat).toBeUndefined();
  });

  it('keeps session affinity undecided but loses no certainty about the backends', () => {
    const affinity = [
      ':PREROUTING ACCEPT [0:0]',
      ':SEP - [0:0]',
      '-A PREROUTING -m recent --rcheck --seconds 10800 --reap --name S --mask 255.255.255.255 --rsource -j SEP',
      '-A PREROUTING -j SEP',
      '-A SEP -p tcp -m recent --set --name S --mask 255.255.255.255 --rsource -m tcp -j DNAT --to-destination 10.0.0.1:80',
    ];
    const outcomes = run('nat', 'prerouting', affinity);
    expect(outcomes).toHaveLength(1);
    expect(outcomes[0]).toMatchObject({ chance: { min: 1, max: 1 }, nat: { to: { address: '10.0.0.1', port: 80 } } });
  });

  it('masquerades with the address that the output device gives', () => {
    const lines = [
      ':POSTROUTING ACCEPT [0:0]',
      ':KUBE-POSTROUTING - [0:0]',
      '-A POSTROUTING -j KUBE-POSTROUTING',
      '-A KUBE-POSTROUTING -m mark ! --mark 0x4000/0x4000 -j RETURN',
      '-A KUBE-POSTROUTING -j MARK --set-xmark 0x4000/0x0',
      '-A KUBE-POSTROUTING -m comment --comment "x" -j MASQUERADE --random-fully',
    ];
    const [marked] = run('nat', 'postrouting', lines, { meta: { mark: 0x4000 } });
    expect(marked!.nat).toEqual({
      kind: 'source',
      to: { address: '10.78.0.11' },
      masquerade: true,
      fullyRandom: true,
    });
    expect(marked!.meta.mark).toBe(0);
    const [plain] = run('nat', 'postrouting', lines);
    expect(plain!.nat).toBeUndefined();
  });

  it.each([
    [
      '-j DNAT --to-destination 10.0.0.1-10.0.0.9:80-90',
      { address: '10.0.0.1', addressTo: '10.0.0.9', port: 80, portTo: 90 },
    ],
    ['-p tcp -j DNAT --to-destination :8080', { port: 8080 }],
    ['-j DNAT --to-destination 10.0.0.1', { address: '10.0.0.1' }],
    ['-j DNAT --to-destination [fd00::2]:8080', { address: 'fd00::2', port: 8080 }],
    ['-j DNAT --to-destination fd00::2', { address: 'fd00::2' }],
    ['-j NETMAP --to 10.9.8.0/24', { address: '10.9.8.7' }],
  ])('%s', (target, to) => {
    const [outcome] = run('nat', 'prerouting', [':PREROUTING ACCEPT [0:0]', `-A PREROUTING ${target}`]);
    expect(outcome!.nat).toEqual({ kind: 'destination', to });
  });

  it('redirects to this host', () => {
    const lines = [':OUTPUT ACCEPT [0:0]', '-A OUTPUT -p tcp -j REDIRECT --to-ports 15001'];
    expect(run('nat', 'output', lines)[0]!.nat).toEqual({
      kind: 'destination',
      to: { address: '127.0.0.1', port: 15001 },
      redirect: true,
    });
  });

  it('hands over by TPROXY with its mark', () => {
    const lines = [
      ':PREROUTING ACCEPT [0:0]',
      '-A PREROUTING -p tcp -j TPROXY --on-port 15001 --on-ip 127.0.0.1 --tproxy-mark 0x1/0xff',
    ];
    const outcome = run('mangle', 'prerouting', lines).find(({ verdict }) => verdict.kind === 'tproxy');
    expect(outcome).toMatchObject({
      verdict: { kind: 'tproxy', address: '127.0.0.1', port: 15001 },
      meta: { mark: 1 },
    });
  });

  it('changes ttl, tos and mss, and untracks', () => {
    const lines = [
      ':PREROUTING ACCEPT [0:0]',
      '-A PREROUTING -j TTL --ttl-dec 1',
      '-A PREROUTING -j TOS --set-tos 0x10/0xff',
      '-A PREROUTING -p tcp -m tcp --tcp-flags SYN,RST SYN -j TCPMSS --set-mss 1300',
    ];
    const [outcome] = run('mangle', 'prerouting', lines);
    expect(outcome!.packet).toMatchObject({ ip: { ttl: 63, tos: 0x10 }, l4: { mss: 1300 } });
    const [raw] = run('raw', 'prerouting', [':PREROUTING ACCEPT [0:0]', '-A PREROUTING -j CT --notrack'], {
      meta: { conntrack: 'none' },
    });
    expect(raw).toMatchObject({ notrack: true, meta: { conntrack: 'untracked' } });
  });
});

describe('iptablesHookEntries', () => {
  it('registers each table of both backends at the kernel’s priorities', () => {
    const nat =
      '*nat\n:PREROUTING ACCEPT [0:0]\n:INPUT ACCEPT [0:0]\n:OUTPUT ACCEPT [0:0]\n:POSTROUTING ACCEPT [0:0]\nCOMMIT\n';
    const filter = '*filter\n:INPUT ACCEPT [0:0]\n:FORWARD DROP [0:0]\n:OUTPUT ACCEPT [0:0]\nCOMMIT\n';
    const snapshot = snapshotOfTexts([
      ['iptables.nft', W1, { family: 4, table: '' }, nat + filter],
      ['iptables.legacy', W1, { family: 4 }, filter],
    ]);
    const { entries, incomplete, wants } = iptablesHookEntries(snapshot, W1, 4);
    expect(entries.map((entry) => [entry.name, entry.hook, entry.priority, entry.nat])).toEqual([
      ['filter-legacy', 'input', 0, false],
      ['filter-legacy', 'forward', 0, false],
      ['filter-legacy', 'output', 0, false],
      ['nat-nft', 'prerouting', -100, true],
      ['nat-nft', 'input', 100, true],
      ['nat-nft', 'output', -100, true],
      ['nat-nft', 'postrouting', 100, true],
      ['filter-nft', 'input', 0, false],
      ['filter-nft', 'forward', 0, false],
      ['filter-nft', 'output', 0, false],
    ]);
    expect([incomplete, wants]).toEqual([[], []]);
  });

  it('never takes an unseen backend for an empty one', () => {
    const snapshot = snapshotOfTexts([['iptables.nft', W1, { family: 4, table: '' }, '']]);
    const { incomplete, wants } = iptablesHookEntries(snapshot, W1, 4);
    expect(incomplete).toHaveLength(1);
    expect(wants).toMatchObject([{ action: 'iptables.legacy', args: { family: 4 } }]);
  });
});
