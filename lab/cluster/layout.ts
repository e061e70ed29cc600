import { createHash } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export type ProxyMode = 'iptables' | 'nftables';
export type Cni = 'flannel-vxlan' | 'flannel-host-gw' | 'kube-router';
export type IptablesBackend = 'nft' | 'legacy';

export interface BedOptions {
  /** Tells beds on one machine apart: prefix of their network namespaces, cgroups and state. */
  readonly name: string;
  /** First three numbers of the node network; by default made from the name. */
  readonly net?: string;
  readonly proxyMode: ProxyMode;
  readonly cni: Cni;
  readonly iptables: IptablesBackend;
  readonly workers: number;
  /** Image archives (OCI or docker-save) to import on every worker. */
  readonly images: readonly string[];
}

export const DEFAULT_NAME = 'lab';

/** A bed's names and addresses: all that follows from its options. */
export interface Layout extends BedOptions {
  readonly net: string;
  readonly workerNames: readonly string[];
  /** Every host in the order of starting: the fabric first, since the cables hang on it. */
  readonly hosts: readonly string[];
  readonly folder: string;
  readonly kubeconfig: string;
  /** The cable's end in the namespace of the shell. */
  readonly shellDevice: string;
  readonly shellAddress: string;
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly apiServiceAddress: string;
  readonly dnsServiceAddress: string;
}

export const CONTROL_PLANE = 'cp';
export const FABRIC = 'fabric';
/** A machine on the node network that is not part of the cluster. */
export const OUTSIDE = 'outside';

const PREFIX = 'pt';
const HIDDEN_ON_HOSTS = ['/var', '/etc', '/opt', '/run', '/sys', '/proc'];
const MAX_NAME = 12; // `pt-NAME` is a device's name, at most 15 characters

/**
 * Where beds keep their state. A host of the lab has its own /var, /etc, /opt and /run, so what lies under these
 * would be out of its sight; then it is /tmp.
 */
export const stateRoot = (temporary: string = tmpdir()): string => {
  const hidden = HIDDEN_ON_HOSTS.some((folder) => temporary === folder || temporary.startsWith(`${folder}/`));
  return join(hidden ? '/tmp' : temporary, 'podtriage-lab');
};

/** `10.80.0` for the default name; another name has a network of its own, so that two beds can be up at once. */
export const networkOf = (name: string): string => {
  if (name === DEFAULT_NAME) return '10.80.0';
  const [high, low] = createHash('sha256').update(name).digest();
  return `10.${81 + (high! % 14)}.${low}`;
};

/** Named network namespaces, cgroups and devices of a bed begin so; `down` finds all by it. */
export const prefixOf = (name: string): string => `${PREFIX}-${name}`;

export const namespaceOf = (name: string, host: string): string => `${prefixOf(name)}-${host}`;

export const addressOf = (net: string, host: string): string => {
  if (host === FABRIC) return `${net}.1`;
  if (host === CONTROL_PLANE) return `${net}.10`;
  if (host === OUTSIDE) return `${net}.100`;
  return `${net}.${10 + Number(host.slice(1))}`;
};

export const layoutOf = (options: BedOptions): Layout => {
  const { name, workers } = options;
  if (!/^[a-z0-9]+$/.test(name) || name.length > MAX_NAME) {
    throw new Error(`the name of a bed is at most ${MAX_NAME} letters a-z and digits, not "${name}"`);
  }
  if (!(workers >= 1 && workers <= 8)) throw new Error(`a bed has 1 to 8 workers, not ${workers}`);
  const net = options.net ?? networkOf(name);
  const folder = join(stateRoot(), name);
  const workerNames = Array.from({ length: workers }, (_, i) => `w${i + 1}`);
  return {
    ...options,
    net,
    folder,
    workerNames,
    hosts: [FABRIC, OUTSIDE, CONTROL_PLANE, ...workerNames],
    kubeconfig: join(folder, 'kubeconfig'),
    shellDevice: prefixOf(name),
    shellAddress: `${net}.254`,
    podCidr: '10.244.0.0/16',
    serviceCidr: '10.96.0.0/16',
    apiServiceAddress: '10.96.0.1',
    dnsServiceAddress: '10.96.0.10',
  };
};
