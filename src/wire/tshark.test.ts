import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { CapturedFrame, CaptureFile, CaptureInterface } from './capture-file.ts';
import { decodeFrame } from './decode-frame.ts';
import { readCaptureFile } from './read-capture-file.ts';
import { MADE_FRAMES } from './testing/made-frames.ts';
import { fixtureNames, fixturePath, readFixture } from './testing/read-fixture.ts';
import { add, type Fields, tsharkFields } from './testing/tshark-fields.ts';
import { writePcapng } from './write-pcapng.ts';

/* The same frames, read by tshark and by us, out of a file that we wrote. Skipped where Wireshark's tools are not there. */

const has = (tool: string): boolean => spawnSync(tool, ['--version']).status === 0;
const isThere = has('tshark') && has('capinfos') && has('editcap') && has('tcpdump');

const PREFERENCES = [
  'ip.defragment:FALSE',
  'ipv6.defragment:FALSE',
  'tcp.desegment_tcp_streams:FALSE',
  'tcp.relative_sequence_numbers:FALSE',
  'tcp.check_checksum:TRUE',
  'udp.check_checksum:TRUE',
  'ip.check_checksum:TRUE',
  'sctp.checksum:CRC-32c',
].flatMap((preference) => ['-o', preference]);

const LINUX_VXLAN = ['-d', 'udp.port==8472,vxlan'];

/** Names that tshark has for what is one thing to us. */
const ALIASES: Readonly<Record<string, string>> = {
  'vlan.id': 'vlan',
  'ieee8021ad.id': 'vlan',
  'icmpv6.nd.ns.target_address': 'icmpv6.target',
  'icmpv6.nd.na.target_address': 'icmpv6.target',
};

const FIELDS = [
  'eth.src eth.dst sll.src.eth sll.ifindex ieee8021ad.id vlan.id',
  'arp.opcode arp.src.hw_mac arp.src.proto_ipv4 arp.dst.hw_mac arp.dst.proto_ipv4',
  'ip.src ip.dst ip.ttl ip.dsfield ip.len ip.proto ip.id ip.flags.df ip.flags.mf ip.frag_offset ip.checksum.status',
  'ipv6.src ipv6.dst ipv6.hlim ipv6.tclass ipv6.fraghdr.ident ipv6.fraghdr.offset ipv6.fraghdr.more',
  'tcp.srcport tcp.dstport tcp.seq_raw tcp.ack_raw tcp.flags tcp.window_size_value tcp.options.mss_val',
  'tcp.options.wscale.shift tcp.options.timestamp.tsval tcp.options.timestamp.tsecr tcp.options.sack_le',
  'tcp.options.sack_re tcp.checksum.status',
  'udp.srcport udp.dstport udp.length udp.checksum.status',
  'sctp.srcport sctp.dstport sctp.verification_tag sctp.chunk_type sctp.checksum.status',
  'icmp.type icmp.code icmp.ident icmp.seq icmp.mtu icmp.checksum.status',
  'icmpv6.type icmpv6.code icmpv6.echo.identifier icmpv6.echo.sequence_number icmpv6.mtu icmpv6.checksum.status',
  'icmpv6.nd.ns.target_address icmpv6.nd.na.target_address',
  'vxlan.vni geneve.vni geneve.option.class gre.key gre.sequence_number wg.type wg.sender wg.receiver',
].flatMap((line) => line.split(' '));

function tshark(path: string, fields: readonly string[], ...more: string[]): string[][][] {
  const argv = ['-n', '-r', path, ...PREFERENCES, ...more, '-T', 'fields', '-E', 'separator=|', '-E', 'aggregator=;'];
  const { stdout, status, stderr } = spawnSync('tshark', [...argv, ...fields.flatMap((field) => ['-e', field])], {
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  });
  if (status !== 0) throw new Error(`tshark: ${stderr}`);
  const rows = stdout.split('\n').slice(0, -1);
  return rows.map((row) => row.split('|').map((cell) => (cell === '' ? [] : cell.split(';'))));
}

/** Numbers as decimal ones, true as 1. */
function plain(word: string): string {
  if (word === 'True' || word === 'False') return word === 'True' ? '1' : '0';
  return /^(0x[0-9a-f]+|\d+)$/i.test(word) ? String(Number(word)) : word;
}

function fieldsOfRow(row: readonly string[][]): Fields {
  const fields: Record<string, readonly string[]> = {};
  FIELDS.forEach((field, index) => {
    const words = row[index]!.map(plain);
    if (words.length > 0) add(fields, ALIASES[field] ?? field, words);
  });
  return fields;
}

/** Frames in which tshark sees more, and why. */
const EXCEPTIONS: Readonly<Record<string, string>> = {
  vxlanNotValid: 'vxlan_rcv drops what has no flag that its VNI is valid; tshark goes by the port alone',
  routingCompressed: 'addresses of the kind that RFC 6554 compresses are not put together here',
};

interface Source {
  readonly name: string;
  readonly interfaces: readonly CaptureInterface[];
  readonly frames: readonly CapturedFrame[];
}

function sources(): Source[] {
  const captured = fixtureNames().map((name) => ({ name, ...readFixture(name) }));
  const made = Object.entries(MADE_FRAMES).map(([name, { linkType, bytes }]) => ({
    name,
    interfaces: [{ linkType, snapLength: 0 }],
    frames: [{ interface: 0, timestampNs: 1_700_000_000_123_456_789n, bytes, originalLength: bytes.length }],
  }));
  return [...captured, ...made];
}

/** All of it in one file: an interface for each source, which has its name. */
function everything(all: readonly Source[]): CaptureFile {
  return {
    comment: 'all that is known, größer als ASCII',
    interfaces: all.map(({ name, interfaces }) => ({
      ...interfaces[0]!,
      name,
      description: `source ${name}`,
      filter: 'not port 22',
    })),
    frames: all.flatMap(({ frames, name }, index) =>
      frames.map((frame, own) => ({
        ...frame,
        interface: index,
        comment: `${name} ${own}`,
        direction: own % 2 === 0 ? ('in' as const) : ('out' as const),
      })),
    ),
    names: [{ address: '10.77.1.2', names: ['client.example'] }],
  };
}

describe.skipIf(!isThere)('beside tshark', () => {
  let folder: string;
  let path: string;
  let file: CaptureFile;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'podtriage-wire-'));
    path = join(folder, 'all.pcapng');
    file = everything(sources());
    writeFileSync(path, writePcapng(file));
  });

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('every field of every frame is what tshark reads', () => {
    const rows = tshark(path, FIELDS, ...LINUX_VXLAN);
    expect(rows.length).toBe(file.frames.length);
    const differences = file.frames.flatMap((frame, index) => {
      if (file.interfaces[frame.interface]!.name! in EXCEPTIONS) return [];
      const ours = tsharkFields(decodeFrame(frame, file.interfaces[frame.interface]!.linkType));
      return differencesOf(ours, fieldsOfRow(rows[index]!)).map((one) => `${frame.comment}: ${one}`);
    });
    expect(differences).toEqual([]);
  }, 30_000);

  it('reads from our file what we wrote beside the frames', () => {
    const fields = [
      'frame.time_epoch',
      'frame.comment',
      'frame.interface_name',
      'frame.interface_description',
      'frame.packet_flags_direction',
      'frame.len',
      'frame.cap_len',
    ];
    const rows = tshark(path, fields).map((row) => row.map(([word]) => word));
    expect(rows).toEqual(
      file.frames.map((frame) => {
        const { name, description } = file.interfaces[frame.interface]!;
        const direction = frame.direction === 'in' ? '0x00000001' : '0x00000002';
        return [
          epoch(frame.timestampNs),
          frame.comment,
          name,
          description,
          direction,
          String(frame.originalLength),
          String(frame.bytes.length),
        ];
      }),
    );
  }, 30_000);

  it('takes the names of addresses', () => {
    const argv = ['-r', path, '-N', 'n', '-c', '20', '-T', 'fields', '-e', 'ip.src_host'];
    expect(spawnSync('tshark', argv, { encoding: 'utf8' }).stdout).toContain('client.example');
  }, 30_000);

  it('capinfos finds all interfaces and packets, and nothing wrong', () => {
    const { stdout, status } = spawnSync('capinfos', ['-M', path], { encoding: 'utf8' });
    expect(status).toBe(0);
    expect(stdout).toMatch(/File type: +.*pcapng/);
    expect(stdout).toMatch(new RegExp(`Number of packets: +${file.frames.length}\\n`));
    expect(stdout).toMatch(new RegExp(`Number of interfaces in file: +${file.interfaces.length}\\n`));
    expect(stdout).toContain('Capture comment:     all that is known, größer als ASCII');
    expect(stdout).toContain('Filter string = not port 22');
    expect(stdout.match(/Time precision = nanoseconds \(9\)/g)).toHaveLength(file.interfaces.length);
  }, 30_000);

  it.each(['tcp-good-nano', 'vxlan-tcp'])(
    'reads the times of %s as tshark does',
    (name) => {
      const rows = tshark(fixturePath(name), ['frame.time_epoch']);
      expect(rows.map((row) => row[0]![0])).toEqual(readFixture(name).frames.map((frame) => epoch(frame.timestampNs)));
    },
    30_000,
  );

  it('reads what editcap wrote as pcapng', () => {
    const own = join(folder, 'edited.pcapng');
    const argv = ['-F', 'pcapng', '-a', '2:seen by editcap', fixturePath('tcp-good-nano'), own];
    expect(spawnSync('editcap', argv, { encoding: 'utf8' })).toMatchObject({ status: 0, stderr: '' });
    const { frames } = readFixture('tcp-good-nano');
    expect(readCaptureFile(readFileSync(own))).toMatchObject({
      interfaces: [{ linkType: 1, snapLength: 262144 }],
      frames: frames.map((frame, index) => (index === 1 ? { ...frame, comment: 'seen by editcap' } : frame)),
    });
  }, 30_000);

  it('tcpdump reads our file, too, where it has one kind of link', () => {
    const captured = readFixture('icmp-errors');
    const own = join(folder, 'icmp.pcapng');
    writeFileSync(own, writePcapng(captured));
    const read = (from: string) => spawnSync('tcpdump', ['-n', '-tt', '-r', from], { encoding: 'utf8' }).stdout;
    expect(read(own)).toBe(read(fixturePath('icmp-errors')));
    expect(read(own)).toContain('need to frag (mtu 1300)');
  });
});

function epoch(ns: bigint): string {
  const digits = ns.toString().padStart(10, '0');
  return `${digits.slice(0, -9)}.${digits.slice(-9)}`;
}

function differencesOf(ours: Fields, theirs: Fields): string[] {
  return [...new Set([...Object.keys(ours), ...Object.keys(theirs)])]
    .filter((field) => !same(ours[field] ?? [], theirs[field] ?? []))
    .map((field) => `${field} is ${ours[field]} here, ${theirs[field]} there`);
}

function same(ours: readonly string[], theirs: readonly string[]): boolean {
  return ours.length === theirs.length && ours.every((word, index) => word === 'any' || word === theirs[index]);
}
