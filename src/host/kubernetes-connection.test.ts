import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { KubeContext, KubeUser } from './kubernetes-config.ts';
import { connect } from './kubernetes-connection.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'podtriage-connection-'));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(directory, { recursive: true });
});

function contextOf(user: KubeUser, cluster: Partial<KubeContext['cluster']> = {}): KubeContext {
  const rest = { origin: 'test', name: 'c', clusterName: 'c', userName: 'u', namespace: 'default' };
  return { ...rest, user, cluster: { server: 'https://api.example:6443', ...cluster } };
}

async function headersOf(user: KubeUser, as?: Parameters<typeof connect>[1]) {
  const connection = await connect(contextOf(user), as);
  const { headers } = await connection.options();
  connection.close();
  return headers;
}

describe('who asks', () => {
  it('is a token, a name with a password, or nobody', async () => {
    expect(await headersOf({ token: 't' })).toEqual({ Authorization: 'Bearer t' });
    expect(await headersOf({ username: 'u', password: 'p' })).toEqual({ Authorization: 'Basic dTpw' });
    expect(await headersOf({})).toEqual({});
  });

  it('is read from the token file', async () => {
    const tokenFile = join(directory, 'token');
    await writeFile(tokenFile, 'from-file\n');
    expect(await headersOf({ tokenFile })).toEqual({ Authorization: 'Bearer from-file' });
  });

  it('is what a credential plug-in answers, which is told of the cluster and asked once', async () => {
    const command = join(directory, 'plug-in');
    const answer = '{"status":{"token":"'; // the plug-in puts its own count and what it was told behind it
    await writeFile(
      command,
      `#!/bin/sh\necho x >>${directory}/calls\necho '${answer}'"$(wc -l <${directory}/calls | tr -d ' ')-$ROLE-\${#KUBERNETES_EXEC_INFO}"'"}}'\n`,
    );
    await chmod(command, 0o755);
    const connection = await connect(contextOf({ exec: { command, env: [{ name: 'ROLE', value: 'dev' }] } }));
    const both = await Promise.all([connection.options(), connection.options()]);
    for (const { headers } of both) expect(headers.Authorization).toMatch(/^Bearer 1-dev-[1-9]\d+$/);
    connection.close();
  });

  it('is told plainly where a plug-in or a file is not there', async () => {
    const missing = await connect(contextOf({ exec: { command: '/no/such/plug-in' } }));
    await expect(missing.options()).rejects.toMatchObject({
      kind: 'kubeconfig',
      message: expect.stringContaining('/no/such/plug-in'),
    });
    await expect(headersOf({ tokenFile: '/no/such/token' })).rejects.toThrow(/\/no\/such\/token.*ENOENT/);
    await expect(connect(contextOf({}, { certificateAuthority: '/no/ca' }))).rejects.toThrow(/\/no\/ca/);
  });

  it('is impersonated as the command line says, else as the kubeconfig says', async () => {
    const user = { token: 't', as: 'root', asGroups: ['system:masters'], asUid: '7' };
    expect(await headersOf(user)).toMatchObject({
      'Impersonate-User': 'root',
      'Impersonate-Group': ['system:masters'],
      'Impersonate-Uid': '7',
    });
    expect(await headersOf(user, { user: 'eve' })).toEqual({ Authorization: 'Bearer t', 'Impersonate-User': 'eve' });
  });
});

describe('the way', () => {
  it('goes through a proxy where one is named, by the client library', { timeout: 20_000 }, async () => {
    const connection = await connect(contextOf({ token: 't' }, { proxyUrl: 'http://proxy.example:3128' }));
    const { agent, headers } = await connection.options();
    expect(headers).toMatchObject({ Authorization: 'Bearer t' });
    expect(String((agent as unknown as { proxy: unknown }).proxy)).toContain('proxy.example');
  });

  it('does not where the environment exempts the server', async () => {
    vi.stubEnv('HTTPS_PROXY', 'http://proxy.example:3128');
    vi.stubEnv('NO_PROXY', 'localhost,.example');
    const connection = await connect(contextOf({ token: 't' }));
    expect((await connection.options()).agent).not.toHaveProperty('proxy');
    connection.close();
  });
});
