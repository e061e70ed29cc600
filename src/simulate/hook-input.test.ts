import { describe, expect, it } from 'vitest';
import { hostOf } from '../net/place.ts';
import type { Cursor, Path } from './cursor.ts';
import type { HookInput, HookName } from './hook.ts';
import { hookInputOf } from './hook-input.ts';
import { buildMeta, buildPacket } from './testing/build-hook-input.ts';
import { snapshotOfTexts, type TextFact } from './testing/build-snapshot.ts';
import { NO_CONNECTIONS } from './tracking.ts';

const W1 = hostOf('w1');

function inputAt(hook: HookName, path: Path, release?: string): HookInput {
  const kernel = JSON.stringify({
    files: [{ path: '/proc/sys/kernel/osrelease', text: `${release}\n` }],
  });
  const facts: TextFact[] = release === undefined ? [] : [['kernel', W1, {}, kernel]];
  const cursor: Cursor = {
    place: W1,
    stage: { name: 'hook', hook, next: 0, after: { name: 'finish' } },
    packet: buildPacket(),
    meta: buildMeta(),
    tracking: NO_CONNECTIONS,
    path,
    visited: [],
  };
  const world = { snapshot: snapshotOfTexts(facts), gate: { parts: [], podAddressesRoutable: 'yes' as const } };
  return hookInputOf(world, cursor, hook);
}

function devices(hook: HookName, path: Path, release?: string): unknown {
  const { input, output } = inputAt(hook, path, release);
  return { input, output };
}

const ROUTED: Path = { local: false, input: 'cni0', output: 'eth0' };

describe('the devices that rules see after routing', () => {
  it('are both, of what was routed through', () => {
    expect(devices('postrouting', ROUTED)).toEqual({ input: 'cni0', output: 'eth0' });
    expect(devices('postrouting', ROUTED, '6.18.0')).toEqual({ input: 'cni0', output: 'eth0' });
    expect(devices('forward', ROUTED)).toEqual({ input: 'cni0', output: 'eth0' });
  });

  it('are the output alone of what is sent here, of what is bridged, and before Linux 5.7', () => {
    const out = { input: undefined, output: 'eth0' };
    expect(devices('postrouting', { local: true, output: 'eth0' })).toEqual(out);
    expect(devices('postrouting', { ...ROUTED, physicalInput: 'a', physicalOutput: 'b' })).toEqual(out);
    expect(devices('postrouting', ROUTED, '5.4.0-150-generic')).toEqual(out);
    expect(devices('output', { local: true, input: 'cni0', output: 'eth0' })).toEqual(out);
  });
});

describe('the socket that rules see', () => {
  it('is one of this host, and none behind what a tunnel has wrapped for somebody else', () => {
    expect(inputAt('postrouting', { local: true }).socket).toEqual({});
    expect(inputAt('output', { local: true, owner: { uid: 7 } }).socket).toEqual({ uid: 7 });
    expect(inputAt('postrouting', { local: true, sentBy: 'vx0', isOrphan: true }).socket).toBeUndefined();
    expect(inputAt('postrouting', ROUTED).socket).toBeUndefined();
  });
});
