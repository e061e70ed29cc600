import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { parseArgs } from 'node:util';
import type { Request } from '../host/host.ts';
import { accessOf } from '../host/local.ts';
import { createPlaces } from '../host/node-side-places.ts';
import { commandLine } from '../host/node-side-run.ts';
import type { Place } from '../net/place.ts';
import { createExecFrameDecoder, type ExecFrame, type ExecSignal } from './exec-frames.ts';
import { terminalCommand } from './terminal-command.ts';

/*
 * `podtriage exec` in the helper: runs a tool of the image in the network namespace of a pod (by its uid) or of the node.
 * Standard output and error are the tool's own; standard input are frames (exec-frames.ts). Exit code: the tool's,
 * 128 + number after a signal, 125 where it could not be started (as env(1) and docker(1) have it).
 *
 *     podtriage-exec --node NAME [--pod NAMESPACE/NAME --uid UID] [--terminal ROWSxCOLUMNS] -- COMMAND …
 */
const NOT_STARTED = 125;
/** Between asking a tool to end since nobody listens any more, and ending it. */
const HANGUP_MS = 500;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    node: { type: 'string', default: '' },
    pod: { type: 'string' },
    uid: { type: 'string' },
    terminal: { type: 'string' },
  },
});

const place: Place = { node: values.node, namespace: values.pod === undefined ? 'host' : `pod/${podOf(values.pod)}` };
const request: Request = {
  action: 'exec',
  place,
  args: {},
  round: 0,
  ...(values.uid === undefined ? {} : { podUid: values.uid }),
};
const where = createPlaces(accessOf({ initPid: 1 }), Date.now).networkOf(request);
if ('gap' in where) refuse(where.detail);
const argv = values.terminal === undefined ? positionals : terminalCommand(positionals, values.terminal);
const [file, ...args] = commandLine({ argv, where });
// A process group of its own, so that it can be ended with all that it started.
const env = values.terminal === undefined ? process.env : { ...process.env, TERM: 'xterm' };
const child = spawn(file!, args, { detached: true, stdio: ['pipe', 'inherit', 'inherit'], env });
child.once('error', (error) => refuse(error.message));
child.once('exit', (code, signal) => process.exit(code ?? 128 + constants.signals[signal!]));
// A tool that ends before it has read its input is told by its exit code.
child.stdin.on('error', () => undefined);
child.stdin.on('drain', () => process.stdin.resume());

const decode = createExecFrameDecoder();
process.stdin.on('data', (bytes) => {
  try {
    for (const frame of decode(bytes)) take(frame);
  } catch (error) {
    process.stderr.write(`podtriage-exec: ${(error as Error).message}\n`);
    signalGroup('SIGKILL');
  }
});
// Whoever asked hung up, or is gone: nobody reads what the tool still says.
process.stdin.once('end', () => {
  signalGroup('SIGHUP');
  setTimeout(() => signalGroup('SIGKILL'), HANGUP_MS);
});

function take(frame: ExecFrame): void {
  if (frame.kind === 'signal') signalGroup(frame.name);
  else if (frame.kind === 'end-of-input') child.stdin.end();
  else if (!child.stdin.write(frame.bytes)) process.stdin.pause();
}

function signalGroup(name: ExecSignal): void {
  try {
    if (child.pid !== undefined) process.kill(-child.pid, name);
  } catch {
    // ESRCH: it has ended by itself.
  }
}

function podOf(text: string): `${string}/${string}` {
  const [namespace, name] = text.split('/');
  return `${namespace ?? ''}/${name ?? ''}`;
}

function refuse(because: string): never {
  process.stderr.write(`podtriage-exec: ${because}\n`);
  process.exit(NOT_STARTED);
}
