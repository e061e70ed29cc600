/** `npm run bench -- NAME [ARGS]`: measures; one JSON line per figure on stdout, words for a person on stderr. */
import { benchDiagnose } from './diagnose.ts';
import { benchSimulate } from './simulate.ts';

const [name, ...rest] = process.argv.slice(2);
const benches: Readonly<Record<string, (args: readonly string[]) => Promise<void>>> = {
  diagnose: benchDiagnose,
  simulate: benchSimulate,
};
const bench = benches[name ?? ''];
if (!bench) {
  process.stderr.write(`usage: npm run bench -- ${Object.keys(benches).join(' | ')} [ARGS]\n`);
  process.exit(2);
}
await bench(rest);
