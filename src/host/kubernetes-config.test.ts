import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadKubeContext } from './kubernetes-config.ts';

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'podtriage-kubeconfig-'));
});
afterAll(() => rm(directory, { recursive: true }));

async function file(name: string, content: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, content);
  return path;
}

const PLAIN = `
apiVersion: v1
kind: Config
current-context: prod
contexts:
- name: prod
  context: { cluster: prod, user: admin, namespace: shop }
- name: half
  context: { cluster: nowhere, user: admin }
clusters:
- name: prod
  cluster: { server: 'https://[fd00::1]:6443', certificate-authority: pki/ca.crt, tls-server-name: api.prod }
users:
- name: admin
  user: { client-certificate: /pki/admin.crt, client-key: admin.key, as: root, as-groups: [a, b] }
`;

describe('loadKubeContext', () => {
  it('reads a context; relative paths are relative to the file', async () => {
    const context = await loadKubeContext({ kubeconfig: await file('plain', PLAIN) }, {});
    expect(context).toMatchObject({ name: 'prod', clusterName: 'prod', userName: 'admin', namespace: 'shop' });
    expect(context.cluster).toMatchObject({
      server: 'https://[fd00::1]:6443',
      certificateAuthority: join(directory, 'pki/ca.crt'),
      tlsServerName: 'api.prod',
      insecureSkipTlsVerify: false,
    });
    expect(context.user).toEqual({
      clientCertificate: '/pki/admin.crt',
      clientKey: join(directory, 'admin.key'),
      as: 'root',
      asGroups: ['a', 'b'],
    });
  });

  it('merges $KUBECONFIG: the first file to name a thing wins, a missing file is passed over', async () => {
    const first = await file('first', 'current-context: b\nusers: [{name: admin, user: {token: mine}}]');
    const second = await file('second', `${PLAIN.replace('name: half', 'name: b').replace('nowhere', 'prod')}`);
    const KUBECONFIG = [first, join(directory, 'absent'), second].join(':');
    const context = await loadKubeContext({}, { KUBECONFIG });
    expect(context).toMatchObject({ name: 'b', user: { token: 'mine' } });
  });

  it('takes --context over the current one, and names those that there are', async () => {
    const kubeconfig = await file('plain', PLAIN);
    await expect(loadKubeContext({ kubeconfig, context: 'prd' }, {})).rejects.toMatchObject({
      kind: 'context',
      message: expect.stringMatching(/"prd".*there are: prod, half/),
    });
    await expect(loadKubeContext({ kubeconfig, context: 'half' }, {})).rejects.toMatchObject({
      kind: 'kubeconfig',
      message: expect.stringContaining('cluster "nowhere"'),
    });
  });

  it('keeps a credential plug-in and an identity provider whole', async () => {
    const exec = `current-context: c
contexts: [{name: c, context: {cluster: c, user: u}}]
clusters: [{name: c, cluster: {server: 'https://c'}}]
users: [{name: u, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: aws, args: [eks, get-token]}}}]`;
    const context = await loadKubeContext({ kubeconfig: await file('exec', exec) }, {});
    expect(context.user.exec).toMatchObject({ command: 'aws', args: ['eks', 'get-token'] });
    expect(context.namespace).toBe('default');
  });

  it.each([
    ['an empty file', '', /empty or not a kubeconfig/],
    ['a list', '- a', /empty or not a kubeconfig/],
    ['broken YAML', 'a: [b', /is not YAML/],
    ['no current context', 'clusters: []', /no current context/],
    ['a server that is no URL', PLAIN.replace("'https://[fd00::1]:6443'", 'prod:6443:x'), /no URL|server/],
  ])('says what is wrong with %s', async (_, content, message) => {
    await expect(loadKubeContext({ kubeconfig: await file('bad', content) }, {})).rejects.toThrow(message);
  });

  it('says which file is missing or unreadable', async () => {
    await expect(loadKubeContext({ kubeconfig: join(directory, 'absent') }, {})).rejects.toThrow(/absent: ENOENT/);
    await expect(loadKubeContext({ kubeconfig: directory }, {})).rejects.toThrow(/EISDIR/);
    await expect(loadKubeContext({}, { HOME: directory })).rejects.toThrow(/no kubeconfig: .*\.kube\/config/);
  });

  it('falls back to the pod’s own service account', async () => {
    const environment = { HOME: directory, KUBERNETES_SERVICE_HOST: 'fd00::1', KUBERNETES_SERVICE_PORT: '443' };
    expect((await loadKubeContext({}, environment)).cluster.server).toBe('https://[fd00::1]:443');
  });
});
