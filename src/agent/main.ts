import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { parseArgs } from 'node:util';
import { accessOf } from '../host/local.ts';
import { createNodeSide } from '../host/node-side.ts';
import { MEMORY_VARIABLE, toolMemoryFactor } from '../host/tool-memory.ts';
import { serve } from './serve.ts';

/*
 * The node side as a program: frames on standard input and output (protocol.ts), nothing else. It takes no command to
 * run, only ids of collectors and probes.
 *
 *     podtriage-agent [--init-pid PID]     the node is that of process PID (1; another one for a node in a lab)
 */
const { values } = parseArgs({ options: { 'init-pid': { type: 'string', default: '1' } } });
const initPid = Number(values['init-pid']);
const node = hostname();
const memoryFactor = toolMemoryFactor(process.env[MEMORY_VARIABLE]);
const nodeSide = createNodeSide(accessOf({ initPid }), Date.now, memoryFactor);
const stop = new AbortController();

/** Time for the last frame to leave. */
const FLUSH_MS = 200;

for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.once(signal, () => stop.abort(`got ${signal}`));
process.once('exit', () => nodeSide.close());
process.once('uncaughtException', (error) => {
  process.stderr.write(`podtriage-agent: ${error.stack ?? error.message}\n`);
  nodeSide.close();
  process.exit(1);
});

const because = await serve({
  input: process.stdin,
  output: process.stdout,
  nodeSide,
  hello: { version: ownVersion(), host: node, pid: process.pid },
  monotonicMs: () => performance.now(),
  signal: stop.signal,
});
process.stderr.write(`podtriage-agent: ended: ${because}\n`);
const leave = (): never => process.exit(0);
setTimeout(leave, FLUSH_MS);
process.stdout.end(leave);

/** Of the package that this file is in: from `src/agent` or, built, from `dist/src/agent`. */
function ownVersion(): string {
  for (const path of ['../../package.json', '../../../package.json']) {
    try {
      return (JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8')) as { version: string }).version;
    } catch {
      // The other place, then.
    }
  }
  return '';
}
