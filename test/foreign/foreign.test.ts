import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { fixtureNames, HERE, readFixture } from './fixture.ts';
import { undecidedOf } from './undecided.ts';
import { difference, walkProbe } from './walk-probe.ts';

const ROOT = new URL('./', import.meta.url);

/** What is not decided from a node's state, and why, is in README.md. An entry that is no longer met has to go. */
const UNDECIDED: Readonly<Record<string, readonly string[]>> = JSON.parse(
  readFileSync(new URL('undecided.json', ROOT), 'utf8'),
);

describe.each(fixtureNames())('%s', (name) => {
  const fixture = readFixture(name);

  it('has nothing unparsed', () => {
    for (const { action, args } of fixture.answers) {
      const observed = fixture.snapshot.fact(action, HERE, args);
      expect([action, args, observed.state, observed.state === 'seen' && observed.unparsed]).toEqual([
        action,
        args,
        'seen',
        [],
      ]);
    }
  });

  it('leaves undecided only what is known to be', () => {
    expect(undecidedOf(fixture)).toEqual(UNDECIDED[name] ?? []);
  });

  it.each(fixture.probes.map((probe, index) => [index, probe.from, probe.to, probe.port ?? 0, probe] as const))(
    'walks packet %i from %s to %s port %i as the kernel did',
    (_index, _from, _to, _port, probe) => {
      const ways = walkProbe(fixture, probe).filter(({ chance }) => chance.max > 0);
      if (UNDECIDED[name] === undefined) expect(ways.every(({ chance }) => chance.min === chance.max)).toBe(true);
      const differences = ways.map((way) => difference(way, probe));
      expect(differences.includes(undefined) ? undefined : differences).toBeUndefined();
    },
  );
});
