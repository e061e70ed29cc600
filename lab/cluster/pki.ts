import { generateKeyPairSync } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { output } from '../command.ts';
import { addressOf, CONTROL_PLANE, type Layout } from './layout.ts';

/** A certificate to make. Kubernetes reads its subject as user (CN) and group (O). */
interface Wanted {
  readonly name: string;
  readonly subject: string;
  readonly usage: 'serverAuth' | 'clientAuth' | 'serverAuth,clientAuth';
  /** Subject alternative names, as openssl writes them. */
  readonly names?: string;
  readonly kubeconfig?: boolean;
}

const DAYS = '3650';
const AUTHORITY = 'ca';

export const pkiFolder = (layout: Layout): string => join(layout.folder, 'pki');

export const kubeletUser = (worker: string): string => `kubelet-${worker}`;

const wanted = (layout: Layout): readonly Wanted[] => {
  const service = 'kubernetes.default.svc.cluster.local';
  const dns = service.split('.').map((_, i, parts) => `DNS:${parts.slice(0, i + 1).join('.')}`);
  const apiAddresses = [layout.apiServiceAddress, addressOf(layout.net, CONTROL_PLANE), '127.0.0.1'];
  return [
    {
      name: 'apiserver',
      subject: '/CN=kube-apiserver',
      usage: 'serverAuth',
      names: [...dns, 'DNS:localhost', ...apiAddresses.map((address) => `IP:${address}`)].join(','),
    },
    {
      name: 'apiserver-kubelet-client',
      subject: '/O=system:masters/CN=kube-apiserver-kubelet-client',
      usage: 'clientAuth',
    },
    { name: 'admin', subject: '/O=system:masters/CN=kubernetes-admin', usage: 'clientAuth', kubeconfig: true },
    {
      name: 'controller-manager',
      subject: '/CN=system:kube-controller-manager',
      usage: 'clientAuth',
      kubeconfig: true,
    },
    { name: 'scheduler', subject: '/CN=system:kube-scheduler', usage: 'clientAuth', kubeconfig: true },
    ...layout.workerNames.map(
      (worker): Wanted => ({
        name: kubeletUser(worker),
        subject: `/O=system:nodes/CN=system:node:${worker}`,
        usage: 'serverAuth,clientAuth',
        names: `DNS:${worker},IP:${addressOf(layout.net, worker)}`,
        kubeconfig: true,
      }),
    ),
  ];
};

const PEM = { type: 'spki', format: 'pem' } as const;

const writeEcKey = async (folder: string, name: string): Promise<void> => {
  const { privateKey } = generateKeyPairSync('ec', {
    namedCurve: 'P-256',
    privateKeyEncoding: { type: 'sec1', format: 'pem' },
    publicKeyEncoding: PEM,
  });
  await writeFile(join(folder, `${name}.key`), privateKey, { mode: 0o600 });
};

/** The key pair that signs and checks the tokens of service accounts. */
const writeTokenKeys = async (folder: string): Promise<void> => {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs1', format: 'pem' },
    publicKeyEncoding: PEM,
  });
  await writeFile(join(folder, 'sa.key'), privateKey, { mode: 0o600 });
  await writeFile(join(folder, 'sa.pub'), publicKey);
};

const REQUEST = ['openssl', 'req', '-x509', '-new', '-days', DAYS];

const makeAuthority = async (folder: string): Promise<void> => {
  await writeEcKey(folder, AUTHORITY);
  const usage = 'keyUsage=critical,keyCertSign,cRLSign,digitalSignature';
  const files = ['-key', `${AUTHORITY}.key`, '-out', `${AUTHORITY}.crt`];
  await output([...REQUEST, ...files, '-subj', '/CN=kubernetes', '-addext', usage], { cwd: folder });
};

const makeCertificate = async (folder: string, { name, subject, usage, names }: Wanted): Promise<void> => {
  await writeEcKey(folder, name);
  const extensions = [
    'basicConstraints=critical,CA:FALSE',
    'keyUsage=critical,digitalSignature,keyEncipherment',
    `extendedKeyUsage=${usage}`,
    ...(names ? [`subjectAltName=${names}`] : []),
  ].flatMap((extension) => ['-addext', extension]);
  const signer = ['-CA', `${AUTHORITY}.crt`, '-CAkey', `${AUTHORITY}.key`];
  const files = ['-key', `${name}.key`, '-out', `${name}.crt`];
  await output([...REQUEST, ...signer, ...files, '-subj', subject, ...extensions], { cwd: folder });
};

const writeKubeconfig = async (layout: Layout, user: string, path: string): Promise<void> => {
  const folder = pkiFolder(layout);
  const base64 = async (file: string): Promise<string> => (await readFile(join(folder, file))).toString('base64');
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [
      {
        name: layout.name,
        cluster: {
          server: `https://${addressOf(layout.net, CONTROL_PLANE)}:6443`,
          'certificate-authority-data': await base64(`${AUTHORITY}.crt`),
        },
      },
    ],
    users: [
      {
        name: user,
        user: {
          'client-certificate-data': await base64(`${user}.crt`),
          'client-key-data': await base64(`${user}.key`),
        },
      },
    ],
    contexts: [{ name: layout.name, context: { cluster: layout.name, user } }],
    'current-context': layout.name,
  };
  await writeFile(path, JSON.stringify(config, null, 1), { mode: 0o600 }); // JSON is YAML
};

/** One authority, a key and certificate for each part of the cluster, and their kubeconfig files; the bed's own is the administrator's. */
export const makePki = async (layout: Layout): Promise<void> => {
  const folder = pkiFolder(layout);
  await mkdir(folder, { recursive: true });
  await makeAuthority(folder);
  const certificates = wanted(layout);
  await Promise.all([writeTokenKeys(folder), ...certificates.map((each) => makeCertificate(folder, each))]);
  const users = certificates.filter((each) => each.kubeconfig).map((each) => each.name);
  await Promise.all(users.map((user) => writeKubeconfig(layout, user, join(folder, `${user}.kubeconfig`))));
  await writeKubeconfig(layout, 'admin', layout.kubeconfig);
};
