import { spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { access, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type CommandOptions, type CommandResult, command, output, SYSTEM_PATH } from '../command.ts';
import { GiveUp, waitFor } from '../wait-for.ts';
import { makeCgroups } from './cgroups.ts';
import { addressOf, FABRIC, type Layout, namespaceOf } from './layout.ts';

const START_TIMEOUT_MS = 20_000;
const STOP_TIMEOUT_MS = 10_000;

export const hostFolder = (layout: Layout, host: string): string => join(layout.folder, host);

const writeHostFiles = async (layout: Layout, host: string): Promise<void> => {
  const folder = hostFolder(layout, host);
  await mkdir(folder, { recursive: true });
  const names = layout.hosts.map((name) => `${addressOf(layout.net, name)} ${name}`);
  await writeFile(join(folder, 'name'), host);
  await writeFile(join(folder, 'hosts'), `127.0.0.1 localhost\n${names.join('\n')}\n`);
  await writeFile(join(folder, 'resolv.conf'), `nameserver ${addressOf(layout.net, FABRIC)}\n`);
  await writeFile(join(folder, 'iptables'), layout.iptables);
};

/** Joins each cgroup before the namespaces are made, so that the cgroup namespace begins there. */
const START = `while read -r folder; do echo $$ > "$folder/cgroup.procs"; done < "$1"
exec nsenter --net="/run/netns/$2" \\
  unshare --mount --uts --ipc --pid --cgroup --fork --kill-child "$3" "$4"`;

/** The host's first process: the one in the host's network namespace that is number 1 of a PID namespace below ours. */
const findInit = async (outer: number): Promise<number | undefined> => {
  const children = await readFile(`/proc/${outer}/task/${outer}/children`, 'utf8').catch(() => '');
  const pid = Number(children.trim().split(' ')[0]);
  return pid > 0 ? pid : undefined;
};

const logTail = async (path: string): Promise<string> => {
  const text = await readFile(path, 'utf8').catch(() => '');
  return text.trim().split('\n').slice(-4).join(' | ');
};

/** Starts one host of the lab in its network namespace, which must exist, and waits until it is set up. */
export const startHost = async (layout: Layout, host: string): Promise<void> => {
  const folder = hostFolder(layout, host);
  await writeHostFiles(layout, host);
  const cgroups = await makeCgroups(namespaceOf(layout.name, host));
  await writeFile(join(folder, 'cgroups'), `${cgroups.join('\n')}\n`);
  const log = join(folder, 'init.log');
  const descriptor = openSync(log, 'w');
  const init = join(import.meta.dirname, 'host-init.sh');
  const child = spawn(
    'sh',
    ['-c', START, 'sh', join(folder, 'cgroups'), namespaceOf(layout.name, host), init, folder],
    { detached: true, stdio: ['ignore', descriptor, descriptor], env: { ...process.env, PATH: SYSTEM_PATH } },
  );
  closeSync(descriptor);
  let ended: number | undefined;
  child.on('exit', (code) => {
    ended = code ?? 128;
  });
  await waitFor(
    `host ${host} of the lab`,
    async () => {
      if (ended !== undefined) throw new GiveUp(`it ended with ${ended}: ${await logTail(log)}`);
      return access(join(folder, 'ready')).then(
        () => true as const,
        () => logTail(log),
      );
    },
    { timeoutMs: START_TIMEOUT_MS, everyMs: 20 },
  );
  const pid = await findInit(child.pid!);
  if (pid === undefined) throw new Error(`host ${host} of the lab has no first process: ${await logTail(log)}`);
  await writeFile(join(folder, 'pid'), String(pid));
  child.unref();
};

/** The PID of a host's first process, checked: the number may have gone to another process since. */
const initPid = async (layout: Layout, host: string): Promise<number> => {
  if (!layout.hosts.includes(host)) throw new Error(`no host ${host}: there are ${layout.hosts.join(', ')}`);
  const pid = Number(await readFile(join(hostFolder(layout, host), 'pid'), 'utf8').catch(() => '0'));
  const own = await stat(`/proc/${pid}/ns/net`).catch(() => undefined);
  const named = await stat(`/run/netns/${namespaceOf(layout.name, host)}`).catch(() => undefined);
  if (!pid || !own || own.ino !== named?.ino) throw new Error(`host ${host} of bed ${layout.name} is not up`);
  return pid;
};

/** The command line that runs something on a host, in all its namespaces and cgroups. */
export const onHost = async (layout: Layout, host: string, argv: readonly string[]): Promise<readonly string[]> => {
  const pid = await initPid(layout, host);
  return [join(import.meta.dirname, 'enter.sh'), String(pid), join(hostFolder(layout, host), 'cgroups'), ...argv];
};

/** A program that the host keeps running; its output goes to /var/log/NAME.log there. */
export interface Daemon {
  readonly name: string;
  readonly argv: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

const daemonFile = (layout: Layout, host: string, name: string): string =>
  join(hostFolder(layout, host), `daemon-${name}.json`);

const LAUNCH = 'name=$1; shift; setsid "$@" >> "/var/log/$name.log" 2>&1 < /dev/null & echo $! > "/run/$name.pid"';

/** Starts a daemon and remembers how, so that it can be stopped and started again by its name. */
export const startDaemon = async (layout: Layout, host: string, daemon: Daemon): Promise<void> => {
  await writeFile(daemonFile(layout, host, daemon.name), JSON.stringify(daemon));
  const variables = Object.entries(daemon.env ?? {}).map(([name, value]) => `${name}=${value}`);
  const argv = ['sh', '-c', LAUNCH, 'sh', daemon.name, 'env', ...variables, ...daemon.argv];
  await output(await onHost(layout, host, argv));
};

const readDaemon = async (layout: Layout, host: string, name: string): Promise<Daemon> => {
  const text = await readFile(daemonFile(layout, host, name), 'utf8').catch(() => undefined);
  if (text !== undefined) return JSON.parse(text) as Daemon;
  const names = (await readdir(hostFolder(layout, host))).flatMap(
    (file) => /^daemon-(.*)\.json$/.exec(file)?.[1] ?? [],
  );
  throw new Error(`host ${host} runs no ${name}: there are ${names.join(', ') || 'no daemons'}`);
};

export const restartDaemon = async (layout: Layout, host: string, name: string): Promise<void> =>
  startDaemon(layout, host, await readDaemon(layout, host, name));

/** Asks a daemon to end and waits until it has. */
export const stopDaemon = async (layout: Layout, host: string, name: string): Promise<void> => {
  const onThat = (script: string): Promise<CommandResult> =>
    onHost(layout, host, ['sh', '-c', script, 'sh', name]).then((argv) => command(argv));
  await onThat('kill "$(cat "/run/$1.pid")"');
  await waitFor(
    `the end of ${name} on ${host}`,
    async () => ((await onThat('kill -0 "$(cat "/run/$1.pid")"')).code !== 0 ? true : 'it still runs'),
    { timeoutMs: STOP_TIMEOUT_MS },
  );
};

export const runOnHost = async (
  layout: Layout,
  host: string,
  argv: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> => command(await onHost(layout, host, argv), options);
