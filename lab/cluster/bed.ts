import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandFailed, type CommandOptions, type CommandResult, command } from '../command.ts';
import { type WaitOptions, waitFor } from '../wait-for.ts';
import { Api, type ApiObject, pathOf, pathOfObject } from './api.ts';
import { onHost, restartDaemon, runOnHost, stopDaemon } from './host.ts';
import { addressOf, CONTROL_PLANE, type Layout, stateRoot } from './layout.ts';

const READY_TIMEOUT_MS = 60_000;

/** How a connection attempt ended: told apart as a client's own errors do. */
export type ConnectOutcome = 'connected' | 'refused' | 'timed-out' | 'unreachable';

const isReady = (object: ApiObject): boolean =>
  (object.status?.conditions ?? []).some(
    (c: { type: string; status: string }) => c.type === 'Ready' && c.status === 'True',
  );

/** A cluster that is up: what faults and tests do with it, by ordinary commands and API calls. */
export class Bed {
  readonly layout: Layout;
  readonly api: Api;

  constructor(layout: Layout, api: Api) {
    this.layout = layout;
    this.api = api;
  }

  /** The bed of this name; fails with a clear line where it is not up. */
  static async open(name: string): Promise<Bed> {
    const file = join(stateRoot(), name, 'bed.json');
    if (!existsSync(file)) throw new Error(`bed ${name} is not up: npm run cluster -- up --name ${name}`);
    const layout = JSON.parse(await readFile(file, 'utf8')) as Layout;
    await onHost(layout, CONTROL_PLANE, []); // fails where the host is gone
    return new Bed(layout, await Api.connect(layout.kubeconfig));
  }

  close(): void {
    this.api.close();
  }

  address(host: string): string {
    return addressOf(this.layout.net, host);
  }

  /** Runs a command on a host (a worker, cp, outside, fabric); standard output, or CommandFailed. */
  async run(host: string, line: string | readonly string[], options: CommandOptions = {}): Promise<string> {
    const argv = typeof line === 'string' ? line.split(' ') : line;
    const result = await runOnHost(this.layout, host, argv, options);
    if (result.code !== 0) throw new CommandFailed([`${host}:`, ...argv], result);
    return result.stdout;
  }

  /** As `run`, but however it ends. */
  attempt(host: string, line: string | readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    return runOnHost(this.layout, host, typeof line === 'string' ? line.split(' ') : line, options);
  }

  stopDaemon(host: string, name: string): Promise<void> {
    return stopDaemon(this.layout, host, name);
  }

  restartDaemon(host: string, name: string): Promise<void> {
    return restartDaemon(this.layout, host, name);
  }

  waitFor(what: string, check: () => Promise<true | string>, options: Partial<WaitOptions> = {}): Promise<void> {
    return waitFor(what, check, { timeoutMs: READY_TIMEOUT_MS, ...options });
  }

  /** Creates the objects, or makes them what is given. */
  async apply(objects: readonly ApiObject[]): Promise<void> {
    for (const object of objects) await this.api.apply(pathOfObject(object), object);
  }

  /** The pods of a label `app=`, not counting those that are going. */
  async pods(namespace: string, selector: string): Promise<readonly ApiObject[]> {
    const all = await this.api.list(`${pathOf('Pod', namespace)}?labelSelector=${encodeURIComponent(selector)}`);
    return all.filter((pod) => !pod.metadata.deletionTimestamp);
  }

  /** The pod of a demo DaemonSet (`web`, `client`) on a worker. */
  async demoPod(app: string, worker: string): Promise<ApiObject> {
    const pod = (await this.pods('demo', `app=${app}`)).find((each) => each.spec.nodeName === worker);
    if (!pod) throw new Error(`no pod of ${app} on ${worker}`);
    return pod;
  }

  async podCidr(worker: string): Promise<string> {
    return (await this.api.get(pathOf('Node', undefined, worker))).spec.podCIDR;
  }

  waitReady(namespace: string, selector: string, count: number, options: Partial<WaitOptions> = {}): Promise<void> {
    const check = async (): Promise<true | string> => {
      const ready = (await this.pods(namespace, selector)).filter(isReady).length;
      return ready >= count ? true : `${ready} of ${count} ready`;
    };
    return this.waitFor(`${count} ready pods of ${selector} in ${namespace}`, check, options);
  }

  /** A process in the pod's network namespace that is no sandbox: its first container's. */
  private async containerPid(pod: ApiObject): Promise<number> {
    const uid = pod.metadata.uid!;
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue;
      const cgroup = await readFile(`/proc/${name}/cgroup`, 'utf8').catch(() => '');
      if (!cgroup.includes(`pod${uid}`)) continue;
      const program = await readlink(`/proc/${name}/exe`).catch(() => '/pause');
      if (program !== '/pause') return Number(name);
    }
    throw new Error(`no process of pod ${pod.metadata.namespace}/${pod.metadata.name} on this machine`);
  }

  /** Runs a command in a pod's container: its namespaces and its files. A tenth of the time that `kubectl exec` takes. */
  async inPod(pod: ApiObject, line: string | readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const argv = typeof line === 'string' ? line.split(' ') : line;
    const target = ['nsenter', '--target', String(await this.containerPid(pod))];
    return command([...target, '--mount', '--net', '--uts', '--pid', '--', ...argv], options);
  }

  /** Tries a TCP connection from a pod that has bash. */
  async connect(pod: ApiObject, address: string, port: number, seconds = 1): Promise<ConnectOutcome> {
    const { code, stderr } = await this.inPod(pod, [
      'timeout',
      String(seconds),
      'bash',
      '-c',
      `exec 3<>/dev/tcp/${address}/${port}`,
    ]);
    if (code === 0) return 'connected';
    if (code === 124) return 'timed-out';
    return stderr.includes('refused') ? 'refused' : 'unreachable';
  }

  /** Asks the pod's own nameserver; the addresses, or why there are none. */
  async resolve(pod: ApiObject, name: string): Promise<string> {
    const { code, stdout } = await this.inPod(pod, ['dig', '+search', '+time=1', '+tries=1', name]);
    const addresses = [...stdout.matchAll(/\sA\s+(?<address>[\d.]+)$/gm)].map((match) => match.groups!.address!);
    if (addresses.length > 0) return addresses.join(' ');
    return /status: (?<status>\w+)/.exec(stdout)?.groups?.status ?? `dig ended with ${code}`;
  }
}
