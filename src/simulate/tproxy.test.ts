import { describe, expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import { type Cursor, isEnd } from './cursor.ts';
import { deliver } from './deliver.ts';
import { forward } from './forward.ts';
import type { HookEntry, HookVerdict } from './hook.ts';
import { runRules } from './hook-rules.ts';
import { buildMeta, buildPacket } from './testing/build-hook-input.ts';
import { snapshotOfTexts } from './testing/build-snapshot.ts';
import { NO_CONNECTIONS } from './tracking.ts';

const WALK = { world: { snapshot: snapshotOfTexts([]), gate: { parts: [], podAddressesRoutable: 'yes' as const } } };

const AT_HOOK = {
  place: hostOf('w1'),
  stage: { name: 'hook', hook: 'prerouting', next: 0, after: { name: 'route-input' } },
  packet: buildPacket(),
  meta: buildMeta(),
  tracking: NO_CONNECTIONS,
  path: { local: false, input: 'cni0', output: 'eth0' },
  visited: [],
} as const satisfies Cursor;

function saying(verdict: HookVerdict, name = 'mangle-legacy'): HookEntry {
  return {
    name,
    priority: -150,
    nat: false,
    evaluate: ({ packet, meta }) => [{ chance: { min: 1, max: 1 }, verdict, packet, meta, steps: [] }],
  };
}

function passed(entries: readonly HookEntry[]): Cursor {
  const { to } = runRules(WALK, AT_HOOK, entries).ways[0]!;
  if (isEnd(to)) throw new Error(to.end);
  return to;
}

describe('a packet that TPROXY has given to a socket', () => {
  const PROXY = { kind: 'tproxy', address: '127.0.0.1', port: 15001 } as const;
  const given = passed([saying(PROXY)]);

  it('goes on to routing, and meets the other backend’s rules', () => {
    expect(given.path.tproxy).toEqual({ address: '127.0.0.1', port: 15001 });
    expect(passed([saying(PROXY), saying({ kind: 'accept' }, 'mangle-nft')]).path.tproxy).toBeDefined();
    const dropped = runRules(WALK, AT_HOOK, [saying(PROXY), saying({ kind: 'drop' }, 'mangle-nft')]).ways[0]!.to;
    expect(dropped).toMatchObject({ end: 'dropped-by-rule' });
  });

  it('comes to the proxy where the route makes it local', () => {
    const { to, steps } = deliver(WALK, { ...given, stage: { name: 'deliver' } }).ways[0]!;
    expect(to).toMatchObject({ end: 'handed-to-userspace' });
    expect(steps[0]!.text).toContain('127.0.0.1:15001');
  });

  it('is dropped where the route leads on', () => {
    const { to, steps } = forward(WALK, given).ways[0]!;
    expect(to).toMatchObject({ end: 'dropped-by-rule', senderSees: 'nothing' });
    expect(steps[0]!.values.reason).toBe('tproxy');
    expect(forward(WALK, AT_HOOK).ways[0]!.to).not.toHaveProperty('end');
  });
});
