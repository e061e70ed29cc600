/** `node bench/json-parse-run.ts FILE`: milliseconds that JSON.parse takes for the file's text, in a process of its own. */
import { readFileSync } from 'node:fs';

const text = readFileSync(process.argv[2]!, 'utf8');
const startedAt = performance.now();
const value: unknown = JSON.parse(text);
const tookMs = performance.now() - startedAt;
process.stdout.write(String(value === undefined ? Number.NaN : tookMs));
