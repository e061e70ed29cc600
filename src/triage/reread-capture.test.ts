import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { describe, expect, test } from 'vitest';
import type { CaptureReport } from '../report/capture-report.ts';
import { captureSchema } from '../report/capture-schema.ts';
import { renderCaptureText } from '../report/capture-text.ts';
import { renderCaptureJson } from '../report/json.ts';
import { readCaptureFile } from '../wire/read-capture-file.ts';
import { writePcapng } from '../wire/write-pcapng.ts';
import { rereadCapture } from './reread-capture.ts';

const FIXTURES = join(import.meta.dirname, '..', 'capture', 'fixtures');
const bytesOf = (name: string): Uint8Array => readFileSync(join(FIXTURES, `${name}.pcapng`));
const NAMES = [
  'service-answered',
  'refused',
  'ping',
  'forward-policy-drop',
  'pod-cidr-route-missing-back',
  'vtep-address-mismatch',
  'host-firewall-reject',
];

function reread(name: string): CaptureReport {
  const report = rereadCapture(bytesOf(name), name);
  if ('problem' in report) throw new Error(report.problem);
  return report;
}

function stepName({ points }: CaptureReport, { point, way }: { readonly point: number; readonly way: string }): string {
  return `${points[point]!.place.node} ${way} ${points[point]!.device}`;
}

describe('captures of a real cluster', () => {
  test('a Service: every attempt is followed through NAT and tunnel, whichever backend it got', () => {
    const report = reread('service-answered');
    expect(report.verdict).toBe('answered');
    expect(report.attempts.map(({ outcome }) => outcome)).toEqual(['answered', 'answered', 'answered']);
    for (const { packets } of report.attempts) {
      const syn = packets.find(({ label }) => label === 'SYN')!;
      expect(syn.fate).toBe('arrived');
      expect(syn.seen[0]!.destination).toBe('10.96.54.249:80');
      expect(syn.seen.at(-1)!.destination).toMatch(/^10\.244\.[01]\.\d+:8080$/);
      expect(packets.find(({ label }) => label === 'SYN ACK')).toMatchObject({ leg: 'back', fate: 'arrived' });
    }
    const remote = report.attempts.flatMap(({ packets }) => packets).filter(({ seen }) => seen.length === 10);
    expect(remote.length).toBeGreaterThan(0);
    expect(remote[0]!.seen.filter(({ tunnel }) => tunnel !== undefined)).toHaveLength(2);
  });

  test('a closed port: the reset is told, and who made it', () => {
    const report = reread('refused');
    expect(report.verdict).toBe('refused');
    expect(report.findings).toHaveLength(1);
    expect(report.findings[0]!.statement).toMatch(/^refused: a RST ACK made by pod\/demo\/web-\w+ on w2 came back$/);
  });

  test('a firewall that rejects: the ICMP error is told, and who made it', () => {
    const report = reread('host-firewall-reject');
    expect(report.verdict).toBe('refused');
    expect(report.findings.map(({ outcome }) => outcome)).toEqual(['icmp-error']);
    expect(report.summary).toBe('2 of 2: turned away: icmp 3/3 from 10.80.0.12 made by w2 came back');
  });

  test('ping: each request and its reply', () => {
    const report = reread('ping');
    expect(report.verdict).toBe('answered');
    const [attempt] = report.attempts;
    expect(attempt!.packets.map(({ label, leg }) => `${leg} ${label}`)).toEqual([
      'there echo request 1',
      'back echo reply 1',
      'there echo request 2',
      'back echo reply 2',
    ]);
  });

  test.each([
    ['forward-policy-drop', 'w2 in flannel.1', 'w2 out cni0'],
    ['vtep-address-mismatch', 'w2 in eth0', 'w2 in flannel.1'],
  ])('%s: gone between %s and %s', (name, after, before) => {
    const report = reread(name);
    expect(report.verdict).toBe('lost');
    expect(report.findings).toHaveLength(1);
    const { loss, attempts, outcome } = report.findings[0]!;
    expect([attempts, outcome]).toEqual([2, 'lost-there']);
    expect(stepName(report, loss!.after)).toBe(after);
    expect(loss!.before.map((step) => stepName(report, step))).toEqual([before]);
  });

  test('frames for another MAC come by the device, but not in', () => {
    const [first] = reread('vtep-address-mismatch').observations;
    expect(first).toMatch(
      /packets come by flannel\.1 of w2 in frames for the MAC [0-9a-f:]{17}; its own is 02:00:5e:00:53:01/,
    );
  });

  test('an answer that leaves the cluster is lost on the way back', () => {
    const report = reread('pod-cidr-route-missing-back');
    expect(report.findings.map(({ outcome, attempts }) => [outcome, attempts])).toEqual([['lost-back', 2]]);
    expect(report.summary).toContain('SYN ACK is lost on the way back: it left the cluster, out by eth0 of w2');
  });
});

describe('what cannot be known is not told', () => {
  test('a loss behind which nothing was watched is no loss', () => {
    const bytes = bytesOf('forward-policy-drop');
    const file = readCaptureFile(bytes);
    if ('problem' in file) throw new Error(file.problem);
    const note = JSON.parse(file.comment!);
    const blind = {
      ...note,
      watches: note.watches.map((one: object, at: number) =>
        at >= 7 ? { ...one, isWhole: false, gap: 'not-permitted' } : one,
      ),
    };
    const report = rereadCapture(writePcapng({ ...file, comment: JSON.stringify(blind) }), 'x');
    expect(report).toMatchObject({ verdict: 'unknown' });
    expect(JSON.stringify(report)).toContain('nothing behind flannel.1');
  });

  test('a capture of others, without podtriage’s note, is read by the order in which the devices saw it', () => {
    const file = readCaptureFile(bytesOf('forward-policy-drop'));
    if ('problem' in file) throw new Error(file.problem);
    const { comment: _, ...bare } = file;
    const report = rereadCapture(writePcapng(bare), 'theirs.pcapng');
    if ('problem' in report) throw new Error(report.problem);
    expect(report.attempts).toHaveLength(2);
    expect(report.walk.agrees).toBe('unknown');
  });

  test.each([
    ['nothing', new Uint8Array(0)],
    ['text', new TextEncoder().encode('tcpdump: eth0: No such device exists\n')],
  ])('%s is no capture', (_, bytes) => {
    expect(rereadCapture(bytes, 'x')).toHaveProperty('problem');
  });
});

describe('as text and as JSON', () => {
  const validate = new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }).compile(captureSchema);

  test.each(NAMES)('%s is valid by the schema', (name) => {
    validate(JSON.parse(renderCaptureJson(reread(name))));
    expect(validate.errors ?? []).toEqual([]);
  });

  test('the table shows each device, and where a packet was not seen', () => {
    const text = renderCaptureText(reread('forward-policy-drop'), { color: false, columns: 100, verbose: false });
    expect(text).toContain('✗ LOST\n  2 of 2: SYN is lost on the way there');
    expect(text).toMatch(/7 +w2 +flannel\.1 +6\n +8 +w2 +cni0 +·\n/);
  });

  test('verbose lists every packet at every device', () => {
    const text = renderCaptureText(reread('refused'), { color: false, columns: 100, verbose: true });
    expect(text).toMatch(/→ SYN: arrived\n +1 +0\.000 ms {2}10\.244\.0\.4:\d+ → 10\.244\.1\.4:9999 {2}ttl 64\n/);
    expect(text).toMatch(/ttl 63 {2}in 10\.80\.0\.11 → 10\.80\.0\.12/);
  });
});
