import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Reply } from '../host/host.ts';
import { CLUSTER, hostOf, type Place } from '../net/place.ts';
import { fixture } from '../parse/testing/parser-properties.ts';
import { decodeBundle, encodeBundle } from './bundle.ts';
import { createSnapshot } from './create-snapshot.ts';
import type { FactName } from './facts.ts';
import { redactReply } from './redact.ts';
import { isSecretName, redactText } from './redact-text.ts';

const NODE = hostOf('w1');
const api = (name: string) => readFileSync(new URL(`./fixtures/${name}-1.34.json`, import.meta.url), 'utf8');

function reply(action: FactName, text: string, place: Place = NODE, args: Reply['request']['args'] = {}): Reply {
  return {
    request: { action, place, args, round: 0 },
    startedAtMs: 0,
    tookMs: 0,
    got: 'raw',
    raw: new TextEncoder().encode(text),
    exitCode: 0,
    truncated: false,
    tool: '',
  };
}

function redacted(action: FactName, text: string): string {
  const clean = redactReply(reply(action, text, CLUSTER));
  return clean.got === 'raw' ? new TextDecoder().decode(clean.raw) : '';
}

const PEM = `-----BEGIN RSA PRIVATE KEY-----\n${'MIIplanted0'.repeat(6)}\nplantedEND=\n-----END RSA PRIVATE KEY-----`;
const JWT = 'eyJplantedhead.eyJplantedbody.plantedsignature';

/** Every secret in here contains `planted`. */
const POD = {
  metadata: {
    name: 'web',
    namespace: 'shop',
    labels: { app: 'web', token: 'not-a-secret' },
    annotations: {
      'kubectl.kubernetes.io/last-applied-configuration': '{"kind":"Pod","spec":{"env":"planted-1"}}',
      'example.com/manifest': '{"apiVersion":"v1","kind":"Secret","data":{"a":"planted-2"}}',
      'example.com/config': '{"user":"x","nested":[{"password":"planted-3"}]}',
      'example.com/broken': '{"password":"planted-4',
      'example.com/long': `planted-5 ${'x'.repeat(2000)}`,
      'example.com/auth-token': 'planted-6',
      'flannel.alpha.coreos.com/backend-data': '{"VNI":1,"VtepMAC":"d6:4f:62:3a:1e:09"}',
      'k8s.v1.cni.cncf.io/network-status': '[{"name":"cbr0","interface":"eth0","ips":["10.244.0.2"]}]',
    },
    managedFields: [{ manager: 'planted-7' }],
  },
  spec: {
    containers: [
      {
        name: 'app',
        image: 'registry.example/token:1.2',
        env: [
          { name: 'HTTP_PROXY', value: 'http://user:planted-8@proxy.corp:3128' },
          { name: 'https_proxy', value: 'user:planted-9@proxy.corp:3128' },
          { name: 'NO_PROXY', value: '10.0.0.0/8,.svc' },
          { name: 'DB_URL', value: 'planted-10' },
          { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'pw' } } },
        ],
        command: ['server', '--password', 'planted-11', '--token=planted-12', '--port=8080'],
        args: ['--tls-private-key-file=/etc/tls/key.pem', `--auth "Bearer plantedbearer-13"`],
        readinessProbe: {
          httpGet: {
            path: '/healthz',
            port: 8080,
            httpHeaders: [{ name: 'Authorization', value: 'Basic planted-14' }],
          },
        },
      },
    ],
  },
  status: { phase: 'Running', message: `login failed: password=planted-15 at https://u:planted-16@db/ ${JWT}` },
};

describe('API objects', () => {
  const text = redacted('api.pods', JSON.stringify({ kind: 'PodList', items: [POD] }));
  const pod = (JSON.parse(text) as { items: (typeof POD)[] }).items[0]!;

  test('no planted secret is left', () => {
    expect(text).not.toMatch(/planted/i);
  });

  test('what a diagnosis needs is left', () => {
    expect(pod.metadata.labels).toEqual(POD.metadata.labels);
    expect(pod.metadata.annotations['flannel.alpha.coreos.com/backend-data']).toBe(
      POD.metadata.annotations['flannel.alpha.coreos.com/backend-data'],
    );
    expect(pod.metadata.annotations['k8s.v1.cni.cncf.io/network-status']).toContain('10.244.0.2');
    const [container] = pod.spec.containers;
    expect(container?.image).toBe('registry.example/token:1.2');
    expect(container?.env).toEqual([
      { name: 'HTTP_PROXY', value: 'http://proxy.corp:3128' },
      { name: 'https_proxy', value: 'proxy.corp:3128' },
      { name: 'NO_PROXY', value: '10.0.0.0/8,.svc' },
      { name: 'DB_URL', value: '[redacted]' },
      { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'db', key: 'pw' } } },
    ]);
    expect(container?.command).toEqual(['server', '--password', '[redacted]', '--token=[redacted]', '--port=8080']);
    expect(container?.args[0]).toBe('--tls-private-key-file=/etc/tls/key.pem');
    expect(container?.readinessProbe.httpGet).toMatchObject({ path: '/healthz', port: 8080 });
    expect(pod.metadata).not.toHaveProperty('managedFields');
  });

  test("a template's annotations and environment", () => {
    const deployment = {
      metadata: { name: 'd' },
      spec: { template: { metadata: { annotations: { 'x/y-secret': 'planted' } }, spec: POD.spec } },
    };
    expect(redacted('api.deployments', JSON.stringify({ items: [deployment] }))).not.toMatch(/planted/);
  });

  test('ConfigMaps: keys that hold keys, certificates, kubeconfigs; the Corefile stays', () => {
    const corefile = '.:53 {\n    forward . /etc/resolv.conf\n    cache 30\n}\n';
    const data = {
      Corefile: corefile,
      'kubeconfig.conf': 'users: planted',
      'client-ca-file': 'planted',
      'tls.key': 'planted',
      token: 'planted',
      'config.conf': 'mode: iptables\nclusterCIDR: 10.244.0.0/16\n',
      other: 'apiVersion: v1\nkind: Config\nusers:\n- user: {token: planted}\n',
      notes: PEM,
      'app.yaml': 'db:\n  password: "planted-1"\n  user: x\n',
    };
    const map = { metadata: { name: 'c' }, data, binaryData: { blob: 'cGxhbnRlZA==planted' } };
    const text = redacted('api.configmaps', JSON.stringify({ kind: 'ConfigMapList', items: [map] }));
    expect(text).not.toMatch(/planted/i);
    const kept = (JSON.parse(text) as { items: (typeof map)[] }).items[0]!;
    expect(Object.keys(kept.data)).toEqual(Object.keys(data));
    expect(kept.data.Corefile).toBe(corefile);
    expect(kept.data['config.conf']).toBe(data['config.conf']);
    expect(kept.data['app.yaml']).toContain('user: x');
  });

  test('a cut or broken list: what cannot be read cannot be redacted, and is left out', () => {
    const whole = JSON.stringify({ kind: 'PodList', items: [POD, POD] });
    for (let length = 0; length < whole.length; length += 11) {
      const clean = redactReply(reply('api.pods', whole.slice(0, length), CLUSTER));
      expect(clean.got === 'raw' && new TextDecoder().decode(clean.raw)).not.toMatch(/planted/i);
    }
    const clean = redactReply(reply('api.pods', whole.slice(0, -50), CLUSTER));
    expect(clean).toMatchObject({ truncated: true });
    const pods = createSnapshot([clean]).fact('api.pods', CLUSTER);
    expect(pods).toMatchObject({ state: 'seen', complete: false, value: [{ metadata: { name: 'web' } }] });
  });
});

describe('texts', () => {
  test.each([
    [PEM],
    [PEM.slice(0, 90)],
    [PEM.slice(20)],
    [JSON.stringify(PEM)],
    ['Authorization: Bearer plantedplanted'],
    ['curl -H "authorization: Basic cGxhbnRlZDpwbGFudGVk planted"'.replace(' planted"', '"')],
    [JWT],
    ['password=planted'],
    ['db_password: "planted planted"'],
    ["PGPASSWORD='planted, planted'"],
    ['{"k8s_auth_token": "planted\\"planted"}'],
    ['{"text":"{\\"authToken\\": \\"planted planted\\"}"}'],
    ['client-key-data: plantedBASE64=='],
    ['--api-key planted'.replace(' ', '=')],
    ['postgres://user:pl@nted:planted@host/db'],
    ['token: "planted cut at the end'],
  ])('%j', (text) => {
    const clean = redactText(text);
    expect(clean).not.toMatch(/planted|cGxhbnRlZ/i);
    expect(clean).not.toBe(text);
    expect(redactText(clean)).toBe(clean);
  });

  test.each([
    ['secret "db" not found'],
    ['[ERROR] plugin/errors: 2 example.com. A: read udp 10.244.0.2:4711->10.78.0.1:53: i/o timeout'],
    ['.:53 {\n  forward . /etc/resolv.conf\n}'],
    ['nameserver 10.96.0.10\nsearch shop.svc.cluster.local\noptions ndots:5\n'],
    ['Basic information about compasses: north'],
    ['mac d6:4f:62:3a:1e:09 at fd00::1'],
  ])('is left as it is: %j', (text) => {
    expect(redactText(text)).toBe(text);
  });

  test('JSON stays JSON, whatever the secret is', () => {
    const json = fc.record({ password: fc.string(), host: fc.string(), token: fc.string() });
    fc.assert(
      fc.property(json, (value) => {
        const clean = JSON.parse(redactText(JSON.stringify(value))) as typeof value;
        expect(clean.token).toBe('[redacted]');
      }),
      { seed: 7, numRuns: 300 },
    );
  });

  test('names', () => {
    for (const name of [
      'password',
      '--token',
      'authToken',
      'db_secret',
      'AWS_ACCESS_KEY_ID',
      'Authorization',
      'x-api-key',
    ]) {
      expect(isSecretName(name)).toBe(true);
    }
    for (const name of [
      'secretName',
      'tokenExpirationSeconds',
      'compass',
      'key',
      'topologyKey',
      'serviceAccountName',
    ]) {
      expect(isSecretName(name)).toBe(false);
    }
  });

  test('files, logs, gaps', () => {
    const files = {
      files: [{ path: '/etc/cni/net.d/10-calico.conflist', text: `{"k8s_auth_token": "planted", "mtu": 1440}` }],
    };
    const text = redacted('cni-configuration', JSON.stringify(files));
    expect(text).not.toMatch(/planted/);
    expect(JSON.parse((JSON.parse(text) as typeof files).files[0]!.text)).toMatchObject({ mtu: 1440 });
    expect(redacted('cni-configuration', JSON.stringify(files).slice(0, -20))).not.toMatch(/planted/);
    expect(redacted('api.log', `2026 I token=planted\n${PEM}\nready\n`)).toBe(
      '2026 I token=[redacted]\n[redacted]\nready\n',
    );
    const gap: Reply = {
      request: { action: 'api.pods', place: CLUSTER, args: {}, round: 0 },
      startedAtMs: 0,
      tookMs: 0,
      got: 'nothing',
      gap: 'failed',
      detail: 'GET https://u:planted@host: Bearer plantedplanted refused',
    };
    expect(JSON.stringify(redactReply(gap))).not.toMatch(/planted/);
  });
});

describe('a redacted bundle', () => {
  const replies = [
    reply('api.pods', api('pods'), CLUSTER),
    reply('api.nodes', api('nodes'), CLUSTER),
    reply('api.services', api('services'), CLUSTER),
    reply('api.endpointslices', api('endpointslices'), CLUSTER),
    reply('api.daemonsets', api('daemonsets'), CLUSTER),
    reply('api.configmaps', api('configmaps'), CLUSTER),
    reply('api.events', api('events'), CLUSTER),
    reply('links', fixture('ip-link-6.1-node.json')),
    reply('routes', fixture('ip-route4-6.1-node.json'), NODE, { family: 4 }),
    reply('fdb', fixture('bridge-fdb-6.1-node.json')),
    reply('iptables.nft', fixture('iptables-nft-save-1.8.9.txt'), NODE, { family: 4 }),
    reply('iptables.legacy', fixture('iptables-legacy-save-1.8.9.txt'), NODE, { family: 4 }),
    reply('sockets', fixture('ss-6.1-node.txt')),
    reply('resolv-conf', JSON.stringify({ files: [{ path: '/etc/resolv.conf', text: 'nameserver 10.96.0.10\n' }] })),
  ];

  test('parses to the same facts', async () => {
    const { replies: back } = await decodeBundle(
      await encodeBundle(replies, { createdAtMs: 0, podtriage: '0', notes: [] }),
    );
    const [before, after] = [createSnapshot(replies), createSnapshot(back)];
    for (const { request } of replies) {
      const name = request.action as FactName;
      const pair = [before, after].map((snapshot) =>
        withoutAnnotations(snapshot.fact(name, request.place, request.args)),
      );
      if (name === 'api.configmaps') continue;
      expect(pair[1]).toEqual(pair[0]);
    }
  });

  test('keeps the Corefile and loses certificates', () => {
    const maps = createSnapshot(replies.map(redactReply)).fact('api.configmaps', CLUSTER);
    const data = maps.state === 'seen' ? maps.value.map((one) => one.data ?? {}) : [];
    expect(data.find((one) => one.Corefile)?.Corefile).toContain('kubernetes cluster.local');
    expect(data.find((one) => one['client-ca-file'])?.['client-ca-file']).toBe('[redacted]');
  });

  test('redacting twice changes nothing more', () => {
    for (const one of replies) {
      const once = redactReply(one);
      expect(redactReply(once)).toBe(once);
    }
  });
});

/** Of annotations only their names must stay, and the values that a CNI writes. */
function withoutAnnotations(observed: unknown): unknown {
  return JSON.parse(
    JSON.stringify(observed, (key, value: unknown) => {
      if (key !== 'annotations' || typeof value !== 'object' || value === null) return value;
      return Object.fromEntries(Object.entries(value).filter(([name]) => !name.endsWith('last-applied-configuration')));
    }),
  );
}
