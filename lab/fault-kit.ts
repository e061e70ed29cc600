import { type ApiObject, pathOf } from './cluster/api.ts';
import type { Bed, ConnectOutcome } from './cluster/bed.ts';
import { IMAGES } from './cluster/build/images.ts';
import type { Layout } from './cluster/layout.ts';
import type { Asked } from './fault.ts';

/** By habit of these files: the question goes from a pod on NEAR to something on FAR. */
export const NEAR = 'w1';
export const FAR = 'w2';
export const DEMO = 'demo';
export const WEB_PORT = 8080;

const EFFECT_TIMEOUT_MS = 30_000;

const addressOfPod = (pod: ApiObject): string => {
  const address = pod.status?.podIP as string | undefined;
  if (!address) throw new Error(`pod ${pod.metadata.name} has no address`);
  return address;
};

export const refOf = (pod: ApiObject): string => `pod/${pod.metadata.namespace}/${pod.metadata.name}`;

export const podAddress = async (bed: Bed, app: string, worker: string): Promise<string> =>
  addressOfPod(await bed.demoPod(app, worker));

export const clusterIp = async (bed: Bed, service: string): Promise<string> =>
  (await bed.api.get(pathOf('Service', DEMO, service))).spec.clusterIP;

/** Waits until connecting from the demo client on a worker ends in one of these ways. */
export const expectConnect = async (
  bed: Bed,
  from: string,
  address: string,
  port: number,
  outcomes: readonly ConnectOutcome[],
): Promise<void> => expectConnectFrom(bed, await bed.demoPod('client', from), address, port, outcomes);

/** The same from another pod than the demo's client. */
export const expectConnectFrom = async (
  bed: Bed,
  from: ApiObject,
  address: string,
  port: number,
  outcomes: readonly ConnectOutcome[],
): Promise<void> => {
  // On one machine an ICMP error can come back while the connect still holds its socket, and is then ignored: only the
  // one that answers the SYN's repetition a second later counts (LockDroppedIcmps of /proc/net/netstat).
  const seconds = outcomes.includes('timed-out') ? 1 : 3;
  const check = async (): Promise<true | string> => {
    const outcome = await bed.connect(from, address, port, seconds);
    return outcomes.includes(outcome) || outcome;
  };
  const what = `connecting from ${refOf(from)} to ${address}:${port} being ${outcomes.join(' or ')}`;
  await bed.waitFor(what, check, { timeoutMs: EFFECT_TIMEOUT_MS });
};

export const FAILED: readonly ConnectOutcome[] = ['timed-out', 'refused', 'unreachable'];

/** From the client on NEAR to the web server on FAR: dead, or alive again. */
export const acrossIsDead = async (bed: Bed): Promise<void> =>
  expectConnect(bed, NEAR, await podAddress(bed, 'web', FAR), WEB_PORT, FAILED);

export const acrossIsAlive = async (bed: Bed): Promise<void> => {
  await bed.waitReady(DEMO, 'app=web', bed.layout.workers);
  await expectConnect(bed, NEAR, await podAddress(bed, 'web', FAR), WEB_PORT, ['connected']);
};

export const askPodToPod = async (bed: Bed): Promise<readonly Asked[]> => [
  {
    args: [refOf(await bed.demoPod('client', NEAR)), refOf(await bed.demoPod('web', FAR)), '--port', String(WEB_PORT)],
  },
];

/** A question from the demo client on NEAR. */
export const askFromClient = async (bed: Bed, ...rest: readonly string[]): Promise<Asked> => ({
  args: [refOf(await bed.demoPod('client', NEAR)), ...rest],
});

const LARGE = 1422; // with its headers exactly a pod's MTU of 1450
const SMALL = 100;

/** Waits until, between the demo pods of two workers, small pings pass and those of a pod's whole MTU do not. */
export const smallOnesAlonePass = async (bed: Bed): Promise<void> => {
  const client = await bed.demoPod('client', NEAR);
  const address = await podAddress(bed, 'web', FAR);
  const passes = async (bytes: number): Promise<boolean> =>
    (await bed.inPod(client, `ping -c 1 -W 1 -M do -s ${bytes} ${address}`)).code === 0;
  await bed.waitFor('small packets alone passing', async () => {
    if (!(await passes(SMALL))) return 'small ones are lost too';
    return !(await passes(LARGE)) || 'large ones pass';
  });
};

export interface PodOptions {
  readonly name: string;
  readonly worker: string;
  readonly command?: readonly string[];
  /** The server of the demo, instead of the client's tools. */
  readonly server?: boolean;
  readonly labels?: Readonly<Record<string, string>>;
  // biome-ignore lint/suspicious/noExplicitAny: a piece of a pod's spec
  readonly spec?: any;
  // biome-ignore lint/suspicious/noExplicitAny: a piece of a container
  readonly container?: any;
}

/** A pod for one fault, placed by name so that no scheduler is waited for. */
export const makePod = ({ name, worker, command, server, labels, spec, container }: PodOptions): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: DEMO, labels: { app: name, ...labels } },
  spec: {
    nodeName: worker,
    terminationGracePeriodSeconds: 1,
    containers: [
      {
        name: 'main',
        image: server ? IMAGES.agnhost : IMAGES.client,
        imagePullPolicy: 'Never',
        ...(server ? { args: ['netexec', `--http-port=${WEB_PORT}`] } : {}),
        ...(command ? { command } : {}),
        ...container,
      },
    ],
    ...spec,
  },
});

// biome-ignore lint/suspicious/noExplicitAny: a piece of a Service's spec
export const makeService = (name: string, spec: any): ApiObject => ({
  apiVersion: 'v1',
  kind: 'Service',
  metadata: { name, namespace: DEMO },
  spec,
});

/** A Service of port 80 for a fault's own web server, by the pod's name. */
export const makeWebService = (pod: string): ApiObject =>
  makeService(pod, { selector: { app: pod }, ports: [{ port: 80, targetPort: WEB_PORT }] });

/** Removes objects of the demo namespace and waits until they are gone. */
export const removeAll = async (bed: Bed, objects: readonly ApiObject[]): Promise<void> => {
  const paths = objects.map((object) => pathOf(object.kind!, object.metadata.namespace, object.metadata.name));
  await Promise.all(paths.map((path) => bed.api.remove(path)));
  for (const path of paths) {
    await bed.waitFor(`the removal of ${path}`, async () => ((await bed.api.find(path)) ? 'it is still there' : true));
  }
};

/** Waits until a pod that a fault made runs and has an address; answers it. */
export const podRuns = async (bed: Bed, name: string): Promise<ApiObject> => {
  const path = pathOf('Pod', DEMO, name);
  await bed.waitFor(`pod ${name} running`, async () => {
    const { status } = await bed.api.get(path);
    return (status.phase === 'Running' && Boolean(status.podIP)) || status.phase;
  });
  return bed.api.get(path);
};

export const isVxlan = (layout: Layout): boolean => layout.cni === 'flannel-vxlan';
export const isFlannel = (layout: Layout): boolean => layout.cni !== 'kube-router';

export const onlyVxlan = (layout: Layout): string | undefined =>
  isVxlan(layout) ? undefined : `needs a VXLAN overlay, not ${layout.cni}`;
export const onlyFlannel = (layout: Layout): string | undefined =>
  isFlannel(layout) ? undefined : `needs flannel, not ${layout.cni}`;
export const onlyIptables = (layout: Layout): string | undefined =>
  layout.proxyMode === 'iptables' ? undefined : `needs kube-proxy in iptables mode, not ${layout.proxyMode}`;

/** The route to another worker's pods, as flannel writes it. */
export const flannelRoute = async (bed: Bed, to: string): Promise<string> => {
  const cidr = await bed.podCidr(to);
  return isVxlan(bed.layout)
    ? `${cidr} via ${cidr.split('/')[0]} dev flannel.1 onlink`
    : `${cidr} via ${bed.address(to)} dev eth0`;
};

export const restoreRoute = async (bed: Bed, on: string, to: string): Promise<void> => {
  await bed.run(on, `ip route replace ${await flannelRoute(bed, to)}`);
};

/** Removes an iptables rule as often as it is there. `rule` is what follows `-A`/`-D` and the chain. */
export const removeRule = async (bed: Bed, host: string, chain: string, rule: string): Promise<void> => {
  const argv = ['iptables', '-w', '5', '-D', chain, ...rule.split(' ')];
  for (let i = 0; i < 10; i++) if ((await bed.attempt(host, argv)).code !== 0) return;
};

export const insertRule = async (bed: Bed, host: string, chain: string, rule: string): Promise<void> => {
  await bed.run(host, ['iptables', '-w', '5', '-I', chain, '1', ...rule.split(' ')]);
};

const FLANNEL = pathOf('DaemonSet', 'kube-flannel', 'kube-flannel-ds');

/** flannel's flags on this bed; a fault changes some of them. */
const FLANNEL_FLAGS = ['--ip-masq', '--kube-subnet-mgr', '--iface=eth0', '--healthz-port=8081'];

/** Restarts flannel everywhere with these flags more or less and waits until it is ready again. */
export const restartFlannel = async (bed: Bed, change: { without?: string; with?: string }): Promise<void> => {
  const flags = [...FLANNEL_FLAGS.filter((flag) => flag !== change.without), ...(change.with ? [change.with] : [])];
  await bed.api.patch(FLANNEL, {
    spec: {
      updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxUnavailable: '100%' } },
      template: { spec: { containers: [{ name: 'kube-flannel', command: ['/opt/bin/flanneld', ...flags] }] } },
    },
  });
  await rolledOut(bed, FLANNEL);
};

/** Waits until every pod of a DaemonSet is of its newest template and ready. */
export const rolledOut = (bed: Bed, path: string): Promise<void> =>
  bed.waitFor(`the roll-out of ${path.slice(path.lastIndexOf('/') + 1)}`, async () => {
    const { metadata, status } = await bed.api.get(path);
    const seen = status.observedGeneration === metadata.generation;
    const wanted = status.desiredNumberScheduled ?? 0;
    const updated = status.updatedNumberScheduled ?? 0;
    const ready = status.numberReady ?? 0;
    return (seen && updated === wanted && ready === wanted) || `${updated} of ${wanted} updated, ${ready} ready`;
  });

/** The host's end of a pod's veth pair. */
export const vethOf = async (bed: Bed, pod: ApiObject): Promise<string> => {
  const index = (await bed.inPod(pod, 'cat /sys/class/net/eth0/iflink')).stdout.trim();
  const links = JSON.parse(await bed.run(pod.spec.nodeName, 'ip -j link show')) as {
    ifindex: number;
    ifname: string;
  }[];
  const link = links.find((each) => each.ifindex === Number(index));
  if (!link) throw new Error(`no device ${index} on ${pod.spec.nodeName} for ${refOf(pod)}`);
  return link.ifname;
};
