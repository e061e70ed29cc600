/** Prints what is undecided in every fixture, as undecided.json lists it: `node make/undecided.ts > undecided.json`. */
import { fixtureNames, readFixture } from '../fixture.ts';
import { undecidedOf } from '../undecided.ts';

const found = fixtureNames().map((name) => [name, undecidedOf(readFixture(name))] as const);
console.log(JSON.stringify(Object.fromEntries(found.filter(([, list]) => list.length > 0)), null, 2));
