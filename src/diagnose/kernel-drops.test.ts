import { describe, expect, test } from 'vitest';
import type { KernelDrop } from '../capture/drop-sightings.ts';
import { hostOf } from '../net/place.ts';
import type { Flow } from './derived.ts';
import { disagreementsOf } from './disagreements.ts';
import { dropReason, isOrdinaryDrop } from './drop-reasons.ts';
import { dropEvidenceFor, dropStatement, dropsInSpite, lostByKernel } from './kernel-drops.ts';
import type { Present } from './named.ts';
import { buildCase, evidence, flow, leafTrace, probe } from './testing/build-case.ts';

const dying: Flow = { ...flow({ forward: leafTrace('dropped-by-rule') }), probe: probe('no', 'timed-out') };
const DEAD = dying.dead[0]!;

function drop(more: Partial<KernelDrop> = {}): KernelDrop {
  return {
    place: DEAD.end.place,
    device: 'eth0',
    leg: 'there',
    as: 'itself',
    reason: 'NETFILTER_DROP',
    function: 'nft_do_chain',
    packets: 2,
    request: { action: 'drops.stop', place: hostOf('w1'), args: {}, round: 0 },
    ...more,
  };
}

function finding(more: Partial<Present> = {}): Present {
  return {
    is: 'present',
    claims: [DEAD.ref],
    evidence: [evidence({ kind: 'rule', plane: 'walk' })],
    fix: { summary: 'mend it', commands: [] },
    ...more,
  };
}

const withDrops = (...drops: KernelDrop[]): Flow => ({ ...dying, drops });
const evidenceOf = (one: Flow, causeId = 'host-firewall-drop', found = finding()) =>
  dropEvidenceFor(causeId, found, DEAD.end.place, buildCase({ flows: [one] }));

describe('what the kernel dropped speaks for a cause', () => {
  test('where the walk ends in that way, at that place', () => {
    expect(evidenceOf(withDrops(drop()))).toMatchObject([
      { plane: 'kernel', values: { reason: 'NETFILTER_DROP', packets: 2 }, place: { device: 'eth0' } },
    ]);
  });

  test('not at another place, not on the other leg, not for another reason', () => {
    expect(evidenceOf(withDrops(drop({ place: hostOf('w9') })))).toEqual([]);
    expect(evidenceOf(withDrops(drop({ leg: 'back' })))).toEqual([]);
    expect(evidenceOf(withDrops(drop({ reason: 'NEIGH_FAILED' })))).toEqual([]);
    expect(evidenceOf(withDrops(drop({ reason: 'NOT_SPECIFIED' })))).toEqual([]);
  });

  test('by the reason’s own name where no walk can know of it', () => {
    const invariant = finding({ claims: [], place: hostOf('w2') });
    const sum = withDrops(drop({ reason: 'UDP_CSUM', place: hostOf('w2'), function: '__udp4_lib_rcv' }));
    expect(evidenceOf(sum, 'vxlan-bad-checksum', invariant)).toHaveLength(1);
    expect(evidenceOf(sum, 'host-firewall-drop', invariant)).toEqual([]);
  });
});

describe('what the kernel dropped contradicts a walk', () => {
  test('that ends elsewhere: it is told, and is one of the first lines of the report', () => {
    const elsewhere = withDrops(drop({ place: hostOf('w9') }));
    expect(dropsInSpite(elsewhere)).toHaveLength(1);
    expect(disagreementsOf([elsewhere], true)[0]).toContain('yet the kernel of w9 dropped 2 packets on the way there');
    expect(disagreementsOf([withDrops(drop())], true)).toEqual([]);
  });

  test('not where the walk could not tell, nor by a reason that no walk knows of', () => {
    const unsure = { ...withDrops(drop({ place: hostOf('w9') })), unknown: dying.leaves };
    expect(dropsInSpite(unsure)).toEqual([]);
    for (const reason of ['UDP_CSUM', 'SOCKET_RCVBUFF', 'QDISC_DROP', 'NOT_SPECIFIED', 'A_NEW_ONE'])
      expect(dropsInSpite(withDrops(drop({ reason, place: hostOf('w9') }))), reason).toEqual([]);
  });

  test('not where another host drops its copy of a frame that a switch floods', () => {
    expect(dropsInSpite(withDrops(drop({ reason: 'OTHERHOST', place: hostOf('w9') })))).toEqual([]);
  });

  test('not by the ordinary end of a packet, nor by that of an ICMP error', () => {
    const ordinary = drop({ reason: 'TCP_RESET', function: 'tcp_validate_incoming' });
    expect(isOrdinaryDrop(ordinary)).toBe(true);
    expect(
      lostByKernel(
        withDrops(
          ordinary,
          drop({ as: 'quoted' }),
          drop({ function: 'sk_stream_kill_queues' }),
          drop({ reason: 'NOT_SPECIFIED', function: 'tcp_v4_rcv' }),
        ),
      ),
    ).toEqual([]);
  });
});

test('a reason without a known meaning is told by its name alone', () => {
  expect(dropReason('toString')).toBeUndefined();
  expect(dropStatement(drop({ reason: 'A_NEW_ONE', packets: 1 }))).toContain('(eth0): A_NEW_ONE, in nft_do_chain()');
  expect(dropStatement(drop({ reason: 'NOT_SPECIFIED' }))).toContain('no reason given, in nft_do_chain()');
});
