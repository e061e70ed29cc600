import { describe, expect, it } from 'vitest';
import type { Scalar } from '../host/host.ts';
import { COLLECTORS, collectorOf } from './collectors.ts';
import { FILES_MAX, LIMITS } from './limits.ts';
import { factNames } from './testing/fact-names.ts';

const ARGS: Readonly<Record<string, Readonly<Record<string, Scalar>>>> = {
  routes: { family: 4 },
  rules: { family: 6 },
  'iptables.legacy': { family: 6 },
  'iptables.nft': { family: 4, table: 'nat' },
  'nft.table': { family: 'inet', name: 'kube-proxy' },
  'nft.outline': { family: 'netdev', name: 'filter' },
  'iptables.chain': { family: 6, table: 'nat', chain: 'KUBE-SERVICES' },
  'nft.chain': { family: 'ip', name: 'kube-proxy', chain: 'service-4AT6LBPK-default/kubernetes/tcp/https' },
  'nft.sets': { family: 'ip', kind: 'maps' },
  conntrack: {
    protocol: 'udp',
    source: '10.244.0.5',
    destination: '10.96.0.10',
    sourcePort: 40000,
    destinationPort: 53,
  },
  'api.workloads': { kind: 'statefulsets', namespace: 'shop' },
  'api.configmaps': { namespace: 'kube-system' },
  'api.events': { namespace: 'shop', name: 'web-0' },
  'api.log': { namespace: 'shop', pod: 'web-0', container: 'web' },
};

const howOf = (fact: string, args = ARGS[fact] ?? {}) => collectorOf(fact)!.how(args);

describe('the list of collectors', () => {
  it('has exactly one for every fact that is not a probe’s', () => {
    const facts = factNames();
    expect(facts.length).toBeGreaterThan(30);
    expect(COLLECTORS.map(({ fact }) => fact).sort()).toEqual([...facts].sort());
    for (const { fact } of COLLECTORS) expect(collectorOf(fact)?.fact).toBe(fact);
  });

  it('knows no other id', () => {
    for (const id of ['probe.tcp', 'exec', '', 'toString', '__proto__', 'constructor']) {
      expect(collectorOf(id)).toBeUndefined();
    }
  });

  it('bounds everything in time and size', () => {
    for (const { limits } of COLLECTORS) {
      expect(limits.timeoutMs).toBeGreaterThan(0);
      expect(limits.timeoutMs).toBeLessThanOrEqual(10_000);
      expect(limits.maxBytes).toBeLessThanOrEqual(32 << 20);
    }
    expect(LIMITS.ruleset.maxMemoryBytes).toBeLessThan(256 << 20);
    expect(FILES_MAX).toBeGreaterThan(1_000);
  });

  it('names places by scope', () => {
    for (const { fact, scope, how } of COLLECTORS) {
      const { via } = how(ARGS[fact] ?? {});
      expect(via === 'api').toBe(scope === 'cluster');
      expect(fact.startsWith('api.')).toBe(scope === 'cluster');
    }
  });
});

describe('commands', () => {
  const commands = COLLECTORS.map(({ fact }) => ({ fact, how: howOf(fact) })).flatMap(({ fact, how }) =>
    how.via === 'command' ? [{ fact, ...how }] : [],
  );

  it('only read', () => {
    const words = commands.flatMap(({ argv, input }) => [...argv.slice(1), ...(input ?? '').split(/\s+/)]);
    for (const word of words) {
      expect(word).not.toMatch(
        /^(add|del|delete|change|replace|set|flush|insert|create|destroy|restore|-w|-A|-D|-F|-X)$/,
      );
    }
  });

  it('never list legacy tables by name, and only where a table exists', () => {
    for (const family of [4, 6]) {
      const how = howOf('iptables.legacy', { family });
      expect(how).toMatchObject({ argv: [family === 6 ? 'ip6tables-legacy-save' : 'iptables-legacy-save', '-c'] });
      expect(how).toMatchObject({ when: { file: `/proc/net/ip${family === 6 ? '6' : ''}_tables_names` } });
    }
  });

  it('say which modules their question would load', () => {
    for (const { argv, modules } of commands.filter(({ argv }) => /nft|ipset|^ss$/.test(argv[0]!))) {
      expect(modules, argv.join(' ')).toBeDefined();
    }
  });

  it('ask each family by its own tool', () => {
    expect(howOf('iptables.nft', { family: 6, table: '' })).toMatchObject({ argv: ['ip6tables-nft-save', '-c'] });
    expect(howOf('routes', { family: 6 })).toMatchObject({ argv: expect.arrayContaining(['-6', 'all']) });
  });

  it('take no argument for an option or for a piece of language', () => {
    expect(() => howOf('nft.table', { family: 'ip', name: 'x; flush ruleset' })).toThrow(RangeError);
    expect(() => howOf('nft.table', { family: '-f', name: 'x' })).toThrow(RangeError);
    expect(() => howOf('nft.table', { family: 'ip', name: '--file' })).toThrow(RangeError);
    expect(() => howOf('nft.outline', { family: 'ip', name: '-a' })).toThrow(RangeError);
    expect(() => howOf('iptables.nft', { family: 4, table: '-h' })).toThrow(RangeError);
    expect(() => howOf('iptables.chain', { family: 4, table: 'nat', chain: '-F' })).toThrow(RangeError);
    expect(() => howOf('iptables.chain', { family: 4, table: 'nat', chain: 'a b' })).toThrow(RangeError);
    expect(() => howOf('nft.chain', { family: 'ip', name: 't', chain: 'c; flush ruleset' })).toThrow(RangeError);
  });
});

describe('files', () => {
  const paths = COLLECTORS.map(({ fact }) => howOf(fact)).flatMap((how) => (how.via === 'files' ? how.paths : []));

  it('are named, each once and absolutely', () => {
    expect(new Set(paths).size).toBe(paths.length - 2); // nf_conntrack_count and _max are two facts'
    for (const path of paths) expect(path).toMatch(/^\/[^ \n]+$/);
  });

  it('hold no secret', () => {
    for (const path of paths) expect(path).not.toMatch(/fastopen_key|stable_secret|kubeconfig|\/environ|shadow|token/);
    // Kubeconfigs lie beside the CNI's configuration.
    expect(paths).not.toContain('/etc/cni/net.d/*');
  });
});

describe('API paths', () => {
  it('are of the object that is asked for', () => {
    expect(howOf('api.workloads')).toMatchObject({ path: '/apis/apps/v1/namespaces/shop/statefulsets' });
    expect(howOf('api.workloads', { kind: 'jobs', namespace: '' })).toMatchObject({ path: '/apis/batch/v1/jobs' });
    expect(howOf('api.events')).toMatchObject({ query: { fieldSelector: 'involvedObject.name=web-0' } });
    expect(howOf('api.log')).toMatchObject({ path: '/api/v1/namespaces/shop/pods/web-0/log' });
  });

  it('take only names', () => {
    expect(() => howOf('api.log', { namespace: '../..', pod: 'x' })).toThrow(RangeError);
    expect(() => howOf('api.configmaps', {})).toThrow(RangeError);
    expect(() => howOf('api.workloads', { kind: 'secrets', namespace: 'shop' })).toThrow(RangeError);
  });
});
