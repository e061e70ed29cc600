import { describe, expect, it } from 'vitest';
import type { L4 } from '../net/packet.ts';
import { hostOf } from '../net/place.ts';
import type { Cursor } from './cursor.ts';
import type { HookName, HookVerdict } from './hook.ts';
import { buildMeta, buildPacket, ECHO, type PacketInput, SYN, udpTo } from './testing/build-hook-input.ts';
import { NO_CONNECTIONS } from './tracking.ts';
import { verdictEnd } from './verdict-end.ts';

function at(hook: HookName, packet: PacketInput, local = true): Cursor {
  return {
    place: hostOf('w1'),
    stage: { name: 'hook', hook, next: 0, after: { name: 'deliver' } },
    packet: buildPacket(packet),
    meta: buildMeta(),
    tracking: NO_CONNECTIONS,
    path: { local },
    visited: [],
  };
}

const ADMIN: HookVerdict = { kind: 'reject', with: { type: 3, code: 13 } };
const RESET: HookVerdict = { kind: 'reject', with: 'tcp-reset' };
const ANSWER: PacketInput = { l4: { protocol: 'icmp', type: 0, code: 0, id: 7 } };

describe('what the sender of a rejected packet sees', () => {
  it('is the error, or the reset', () => {
    expect(verdictEnd(at('forward', {}), ADMIN)).toMatchObject({ end: 'rejected-by-rule', senderSees: 'icmp 3/13' });
    expect(verdictEnd(at('forward', {}), RESET)).toMatchObject({
      senderSees: 'reset',
      errorPacket: { l4: { flags: ['rst', 'ack'] } },
    });
    expect(verdictEnd(at('output', { l4: ECHO }), ADMIN)).toMatchObject({ senderSees: 'icmp 3/13' });
  });

  it.each([
    ['a reset with a reset', at('forward', { l4: { ...SYN, flags: ['rst'] } as L4 }), RESET],
    ['a later fragment', at('forward', { fragmentOffset: 1480 }), ADMIN],
    ['a first fragment', at('forward', { fragmentOffset: 0, l4: udpTo(53) }), ADMIN],
    ['an error', at('forward', { l4: { protocol: 'icmp', type: 3, code: 1 } }), ADMIN],
    ['the kernel’s own echo reply, while it is being sent', at('output', ANSWER), ADMIN],
  ] as const)('is nothing for %s', (_, cursor, verdict) => {
    expect(verdictEnd(cursor, verdict)).toMatchObject({ end: 'rejected-by-rule', senderSees: 'nothing' });
  });

  it('is the error again where a router rejects the echo reply', () => {
    expect(verdictEnd(at('forward', ANSWER, false), ADMIN)).toMatchObject({ senderSees: 'icmp 3/13' });
  });
});
