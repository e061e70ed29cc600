import { execFileSync } from 'node:child_process';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Reply } from '../host/host.ts';
import { CLUSTER, hostOf, podPlace } from '../net/place.ts';
import { fixture } from '../parse/testing/parser-properties.ts';
import { decodeBundle, encodeBundle } from './bundle.ts';
import { createSnapshot } from './create-snapshot.ts';
import { isComplete } from './snapshot.ts';

const NODE = hostOf('w1');

function raw(action: string, text: string, args: Reply['request']['args'] = {}, place = NODE): Reply {
  return {
    request: { action, place, args, round: 0 },
    startedAtMs: 1_700_000_000_000,
    tookMs: 12,
    got: 'raw',
    raw: new TextEncoder().encode(text),
    exitCode: 0,
    truncated: false,
    tool: 'iproute2-6.1.0',
  };
}

const REPLIES: readonly Reply[] = [
  raw('api.version', '{"gitVersion":"v1.34.4"}', {}, CLUSTER),
  raw('routes', fixture('ip-route4-6.1-mixed.json'), { family: 4 }),
  raw('links', fixture('ip-link-6.1-mixed.json')),
  raw('ipsets', ''),
  {
    ...raw('probe.tcp', '{"outcome":"timed-out"}', { address: '10.244.1.5', port: 80, timeoutMs: 1000 }),
    request: {
      action: 'probe.tcp',
      place: podPlace('w1', 'shop', 'web-1'),
      args: { address: '10.244.1.5', port: 80, timeoutMs: 1000 },
      round: 1,
      podUid: 'u-1',
    },
  },
  {
    request: { action: 'nft.table', place: NODE, args: { family: 'ip', name: 'nat' }, round: 2 },
    startedAtMs: 5,
    tookMs: 10_000,
    got: 'nothing',
    gap: 'timed-out',
    detail: 'no answer within 10 s',
  },
  raw('sockets', fixture('ss-6.1-node.txt')),
];
const ABOUT = {
  createdAtMs: 1_700_000_001_000,
  podtriage: '0.1.0',
  question: { source: 'pod/shop/web-1', destination: 'svc/shop/api:80', family: 4 },
  notes: ['node w2 was not reachable'],
};

const plain = (replies: readonly Reply[]) =>
  replies.map((reply) => (reply.got === 'raw' ? { ...reply, raw: new TextDecoder().decode(reply.raw) } : reply));

describe('a bundle', () => {
  test('gives back the replies, the manifest and no problems', async () => {
    const decoded = await decodeBundle(await encodeBundle(REPLIES, ABOUT));
    expect(decoded.manifest).toEqual({ format: 'podtriage.bundle', version: 1, ...ABOUT });
    expect(plain(decoded.replies)).toEqual(plain(REPLIES));
    expect(decoded.problems).toEqual([]);
  });

  test('is a tar that a person can read: manifest first, names that say what and where', async () => {
    const bytes = await encodeBundle(REPLIES, ABOUT);
    const names = execFileSync('tar', ['-tzf', '-'], { input: bytes }).toString().trim().split('\n');
    expect(names).toEqual([
      'manifest.json',
      'index.jsonl',
      'replies/0001-cluster-api.version.json',
      'replies/0002-w1-host-routes-family=4.json',
      'replies/0003-w1-host-links.json',
      'replies/0004-w1-host-ipsets.txt',
      'replies/0005-w1-pod-shop-web-1-probe.tcp-address=10.244.1.5-port=80-timeoutMs=1000.json',
      'replies/0007-w1-host-sockets.txt',
    ]);
    expect(names.every((name) => name.length < 100)).toBe(true);
    const manifest = execFileSync('tar', ['-xzOf', '-', 'manifest.json'], { input: bytes }).toString();
    expect(JSON.parse(manifest)).toMatchObject({ format: 'podtriage.bundle' });
  });

  test('is the same bytes for the same content', async () => {
    expect(Buffer.from(await encodeBundle(REPLIES, ABOUT))).toEqual(Buffer.from(await encodeBundle(REPLIES, ABOUT)));
  });

  test('is also read when somebody has unpacked the gzip', async () => {
    const tar = gunzipSync(await encodeBundle(REPLIES, ABOUT));
    expect(plain((await decodeBundle(tar)).replies)).toEqual(plain(REPLIES));
  });

  test('without replies and question', async () => {
    const decoded = await decodeBundle(await encodeBundle([], { createdAtMs: 0, podtriage: '0.1.0', notes: [] }));
    expect(decoded).toMatchObject({ replies: [], problems: [], manifest: { notes: [] } });
  });
});

describe('a bundle that is not whole', () => {
  test('cut at any length: an error that says so, or a part with its problems; never a silent loss', async () => {
    const bytes = await encodeBundle(REPLIES, ABOUT);
    const counts = new Set<number>();
    for (let length = 0; length < bytes.length - 8; length += 37) {
      const decoded = await decodeBundle(bytes.subarray(0, length)).catch((error: Error) => error);
      if (decoded instanceof Error) {
        expect(decoded.message).toMatch(/cut short|no podtriage bundle/);
        continue;
      }
      counts.add(decoded.replies.length);
      expect(decoded.manifest.podtriage).toBe('0.1.0');
      expect(decoded.problems.length).toBeGreaterThan(0);
      checkIsPart(decoded.replies);
    }
    expect(counts.size).toBeGreaterThan(2);
  });

  test('cut at any block of the tar', async () => {
    const tar = gunzipSync(await encodeBundle(REPLIES, ABOUT));
    for (let length = 512; length < tar.length - 1024; length += 500) {
      const decoded = await decodeBundle(gzipSync(tar.subarray(0, length))).catch((error: Error) => error);
      if (decoded instanceof Error) expect(decoded.message).toMatch(/cut short/);
      else {
        expect(decoded.problems.length).toBeGreaterThan(0);
        checkIsPart(decoded.replies);
      }
    }
  });

  test('a reply that is cut is used as far as it goes and claims no absence', async () => {
    const tar = gunzipSync(await encodeBundle(REPLIES, ABOUT));
    const links = tar.lastIndexOf('replies/0003') + 512 + 4000;
    const { replies, problems } = await decodeBundle(gzipSync(tar.subarray(0, links)));
    const observed = createSnapshot(replies).fact('links', NODE);
    expect(observed.state === 'seen' && observed.value.length).toBeGreaterThan(1);
    expect(isComplete(observed)).toBe(false);
    expect(problems.join('\n')).toMatch(/0003-w1-host-links\.json: \d+ of \d+ bytes/);
    expect(problems.join('\n')).toMatch(/0007-w1-host-sockets\.txt: missing/);
    expect(isComplete(createSnapshot(replies).fact('routes', NODE, { family: 4 }))).toBe(true);
  });

  /** Whatever is there is a beginning of what was written, and a shortened reply says that it is one. */
  function checkIsPart(replies: readonly Reply[]): void {
    for (const reply of replies) {
      const original = REPLIES.find(({ request }) => JSON.stringify(request) === JSON.stringify(reply.request));
      if (reply.got === 'nothing') expect(reply).toEqual(original);
      else {
        const [got, wrote] = [Buffer.from(reply.raw), Buffer.from(original?.got === 'raw' ? original.raw : [])];
        expect(wrote.subarray(0, got.length).equals(got)).toBe(true);
        expect(reply.truncated).toBe(got.length < wrote.length);
      }
    }
  }
});

describe('what is no bundle of ours', () => {
  const message = async (bytes: Uint8Array): Promise<string> =>
    decodeBundle(bytes).then(
      () => 'read',
      (error: Error) => error.message,
    );

  test.each([
    ['nothing', Buffer.alloc(0)],
    ['a text', Buffer.from('hello')],
    ['a long text', Buffer.from('hello\n'.repeat(500))],
    ['a gzip of a text', gzipSync('hello\n'.repeat(500))],
    ['zeros', Buffer.alloc(4096)],
  ])('%s', async (_name, bytes) => {
    expect(await message(bytes)).toMatch(/^this is no podtriage bundle/);
  });

  test('another tar', async () => {
    const tar = execFileSync('tar', ['-czf', '-', '-C', import.meta.dirname, 'bundle.test.ts']);
    expect(await message(tar)).toBe('this is no podtriage bundle: it does not begin with manifest.json');
  });

  test('flipped bytes in the compressed data', async () => {
    const bytes = Buffer.from(await encodeBundle(REPLIES, ABOUT));
    for (const at of [200, 900, bytes.length - 6]) {
      const broken = Buffer.from(bytes);
      broken[at] = broken[at]! ^ 0xff;
      expect(await message(broken)).toMatch(/^the bundle is damaged: |^this is no podtriage bundle/);
    }
  });

  test('a newer format names the podtriage that is needed', async () => {
    const tar = gunzipSync(await encodeBundle(REPLIES, { ...ABOUT, podtriage: '9.9.9' }));
    const newer = tar.toString('latin1').replace('"version": 1,', '"version": 7,');
    expect(await message(gzipSync(Buffer.from(newer, 'latin1')))).toBe(
      'this bundle has format version 7, and this podtriage reads up to 1: use podtriage 9.9.9 or newer, which wrote it',
    );
  });

  test('a manifest that is not one', async () => {
    const tar = gunzipSync(await encodeBundle(REPLIES, ABOUT)).toString('latin1');
    const foreign = tar.replace('podtriage.bundle', 'somebody.bundle!'.slice(0, 16));
    expect(await message(gzipSync(Buffer.from(foreign, 'latin1')))).toMatch(/manifest.json is not one of podtriage/);
    const odd = tar.replace('"notes": [\n    "', '"notes": [\n     ');
    expect(await message(gzipSync(Buffer.from(odd, 'latin1')))).toMatch(/manifest.json/);
  });
});
