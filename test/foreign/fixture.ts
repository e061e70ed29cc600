/** Reads what make/capture.ts wrote: the answers of one namespace, as a snapshot. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import type { Scalar } from '../../src/host/host.ts';
import { hostOf, type Place } from '../../src/net/place.ts';
import { snapshotOfTexts, type TextFact } from '../../src/simulate/testing/build-snapshot.ts';
import type { FactName } from '../../src/snapshot/facts.ts';
import type { Snapshot } from '../../src/snapshot/snapshot.ts';

import type { Probed } from './probe.ts';

/** Every fixture is one node's own network namespace. */
export const HERE: Place = hostOf('w1');

export interface Answer {
  readonly action: FactName;
  readonly args: Readonly<Record<string, Scalar>>;
  /** Absent where the answer was empty. */
  readonly file?: string;
}

export interface Fixture {
  readonly name: string;
  readonly answers: readonly Answer[];
  readonly snapshot: Snapshot;
  readonly textOf: (answer: Answer) => string;
  /** Packets that were sent for real, and what became of them. */
  readonly probes: readonly Probed[];
}

/** `iptables.nft` with family 4 is `iptables-nft-4.txt`; JSON answers end in `.json`. */
export function fileOf(action: string, args: Readonly<Record<string, Scalar>>): string {
  const words = Object.values(args).filter((value) => value !== '' && value !== null);
  const name = [action.replaceAll('.', '-'), ...words].join('-').replaceAll(/[^\w.-]/g, '_');
  return `${name}.${JSON_FACTS.has(action) ? 'json' : 'txt'}`;
}

const JSON_FACTS = new Set(['nft.table', 'nft.tables', 'links', 'routes', 'rules', 'neighbours', 'fdb']);

const ROOT = new URL('./', import.meta.url);

/** Every folder with an index: `kube-proxy/iptables-nft`. */
export function fixtureNames(): string[] {
  return readdirSync(ROOT, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => readdirSync(new URL(`${name}/`, ROOT)).map((fixture) => `${name}/${fixture}`))
    .filter((name) => existsSync(new URL(`${name}/index.json`, ROOT)));
}

export function readFixture(name: string): Fixture {
  const folder = new URL(`${name}/`, ROOT);
  const answers = JSON.parse(readFileSync(new URL('index.json', folder), 'utf8')) as Answer[];
  const textOf = (answer: Answer): string =>
    answer.file === undefined ? '' : readFileSync(new URL(answer.file, folder), 'utf8');
  const facts = answers.map((answer): TextFact => [answer.action, HERE, answer.args, textOf(answer)]);
  const file = new URL('probes.json', folder);
  const probes = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as Probed[]) : [];
  return { name, answers, snapshot: snapshotOfTexts(facts), textOf, probes };
}
