import type { RequestOptions } from 'node:https';
import type { KubeConfig } from '@kubernetes/client-node';
import { apiUrl } from './kubernetes-client.ts';
import type { Connection } from './kubernetes-connection.ts';

/** A command's stdin and stdout in a container, over the API server. */
export interface ExecChannel {
  /** `onSent`: when they have left. */
  send(bytes: Uint8Array, onSent?: () => void): void;
  /** Resolves once, when the command has ended or the connection is gone. */
  readonly ended: Promise<ExecEnd>;
  /** Takes nothing more from the command until `resume`; it waits once what lies between is full. */
  pause(): void;
  resume(): void;
  /** Hangs up; the command in the container does not notice by itself. */
  close(): void;
}

export interface ExecEnd {
  /** The command's exit code where the server told it; undefined where the connection broke. */
  readonly exitCode?: number;
  /** What the server or the connection said, and the last of the command's stderr. */
  readonly detail: string;
}

/** Who takes what the command writes. */
export interface ExecOutput {
  readonly onBytes: (bytes: Uint8Array) => void;
  /** Its standard error; without it the last of that is told in `ExecEnd.detail`. */
  readonly onErrorBytes?: (bytes: Uint8Array) => void;
}

export interface ExecTarget {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly command: readonly string[];
}

const STDIN = 0;
const STDOUT = 1;
const STDERR = 2;
const STATUS = 3;
const HANDSHAKE_MS = 5_000;
const STDERR_KEPT = 2_000;

/**
 * Starts a command by WebSocket (channel.k8s.io protocols, the client library's own handshake) and hands on what
 * it writes. Resolves when the server has accepted the stream, which is before it knows whether the command starts.
 */
export async function openExec(connection: Connection, target: ExecTarget, output: ExecOutput): Promise<ExecChannel> {
  // This file of the library alone: its whole costs 300 ms.
  const { WebSocketHandler } = await import('@kubernetes/client-node/dist/web-socket-handler.js');
  const handler = new WebSocketHandler(asKubeConfig(connection));
  let stderr = '';
  let status: ExecEnd | undefined;
  const onFrame = (stream: number, bytes: Buffer): boolean => {
    if (stream === STDOUT && bytes.length > 0) output.onBytes(bytes);
    else if (stream === STDERR && output.onErrorBytes) output.onErrorBytes(bytes);
    else if (stream === STDERR) stderr = (stderr + bytes.toString('utf8')).slice(-STDERR_KEPT);
    else if (stream === STATUS) status = readStatus(bytes);
    return status === undefined;
  };
  const path = execPath(connection, target);
  const socket = await handler.connect(path, null, onFrame).catch((event: { message?: string }) => {
    throw new Error(event.message ?? 'the WebSocket was refused');
  });
  const ended = new Promise<ExecEnd>((resolve) => {
    const end = (why: string): void => resolve(withStderr(status ?? { detail: why }, stderr));
    socket.onclose = ({ code, reason }: { code: number; reason: string }) =>
      end(`the connection closed (${code}${reason ? ` ${reason}` : ''})`);
    socket.onerror = ({ message }: { message: string }) => end(message);
    if (socket.readyState > socket.OPEN) end('the connection closed');
  });
  return {
    send(bytes, onSent) {
      const framed = Buffer.allocUnsafe(bytes.length + 1);
      framed[0] = STDIN;
      framed.set(bytes, 1);
      if (socket.readyState === socket.OPEN) socket.send(framed, () => onSent?.());
    },
    ended,
    pause: () => socket.pause(),
    resume: () => socket.resume(),
    close: () => socket.terminate(),
  };
}

function execPath(connection: Connection, { namespace, pod, container, command }: ExecTarget): string {
  const url = apiUrl(connection, `/api/v1/namespaces/${namespace}/pods/${pod}/exec`);
  for (const word of command) url.searchParams.append('command', word);
  const rest = { container, stdin: 'true', stdout: 'true', stderr: 'true', tty: 'false' };
  for (const [key, value] of Object.entries(rest)) url.searchParams.append(key, value);
  return url.pathname + url.search;
}

/** The two questions that the library's handler asks of its configuration, answered by our connection. */
function asKubeConfig(connection: Connection): KubeConfig {
  const config = {
    getCurrentCluster: () => ({ server: connection.server.origin }),
    async applyToHTTPSOptions(options: RequestOptions): Promise<void> {
      const { agent, headers } = await connection.options();
      const own = { agent, headers: { ...headers }, handshakeTimeout: HANDSHAKE_MS, perMessageDeflate: false };
      Object.assign(options, own);
    },
  };
  return config as unknown as KubeConfig;
}

/** A metav1.Status: Success, or a Failure whose details carry the exit code. */
function readStatus(bytes: Buffer): ExecEnd {
  try {
    const status = JSON.parse(bytes.toString('utf8')) as StatusObject;
    if (status.status === 'Success') return { exitCode: 0, detail: 'the command ended' };
    const code = status.details?.causes?.find((cause) => cause.reason === 'ExitCode')?.message;
    const detail = status.message ?? 'the command failed';
    return code === undefined ? { detail } : { exitCode: Number(code), detail };
  } catch {
    return { detail: bytes.toString('utf8') };
  }
}

interface StatusObject {
  readonly status?: string;
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly reason?: string; readonly message?: string }[] };
}

function withStderr(end: ExecEnd, stderr: string): ExecEnd {
  return stderr.trim() ? { ...end, detail: `${end.detail}: ${stderr.trim()}` } : end;
}
