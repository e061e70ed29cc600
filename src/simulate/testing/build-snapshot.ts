/**
 * Snapshots for tests from the tools' own text: `snapshotOfTexts([['iptables.nft', hostOf('w1'), { family: 4, table: '' }, text]])`.
 */
import type { Reply } from '../../host/host.ts';
import type { Place } from '../../net/place.ts';
import { createSnapshot } from '../../snapshot/create-snapshot.ts';
import type { FactArgs, FactName } from '../../snapshot/facts.ts';
import type { Snapshot } from '../../snapshot/snapshot.ts';

export type TextFact = readonly [name: FactName, place: Place, args: FactArgs, text: string];

export function snapshotOfTexts(facts: readonly TextFact[]): Snapshot {
  return createSnapshot(facts.map(replyOf));
}

export function replyOf([action, place, args, text]: TextFact): Reply {
  return {
    request: { action, place, args, round: 0 },
    startedAtMs: 0,
    tookMs: 1,
    got: 'raw',
    raw: new TextEncoder().encode(text),
    exitCode: 0,
    truncated: false,
    tool: '',
  };
}
