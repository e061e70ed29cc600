import { describe, expect, test } from 'vitest';
import { parseCorefile } from './corefile.ts';
import { expectEveryTruncationParses, expectFuzzParses } from './testing/parser-properties.ts';

/** kubeadm's, CoreDNS 1.8 to 1.13. */
const KUBEADM = `.:53 {
    errors
    health {
       lameduck 5s
    }
    ready
    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }
    prometheus :9153
    forward . /etc/resolv.conf {
       max_concurrent 1000
    }
    cache 30
    loop
    reload
    loadbalance
}
`;
/** k3s: hosts file, import, and a stub zone of the user's. */
const CUSTOM = `# stub
corp.test:53, example.org {
  errors # to stdout
  forward . 10.0.0.53 tls://10.0.0.54 {
    tls_servername "dns corp"
    health_check 5s {
      no_rec
    }
  }
}
.:53 {
  hosts /etc/coredns/NodeHosts {
    ttl 60
    fallthrough
  }
  import /etc/coredns/custom/*.override
  template ANY AAAA {
    rcode NOERROR
  }
}
`;

describe('parseCorefile', () => {
  test("kubeadm's", () => {
    const { value, unparsed } = parseCorefile(KUBEADM);
    expect(unparsed).toEqual([]);
    expect(value.servers).toHaveLength(1);
    const [server] = value.servers;
    expect(server?.zones).toEqual(['.:53']);
    expect(server?.plugins.map((plugin) => plugin.name)).toEqual([
      'errors',
      'health',
      'ready',
      'kubernetes',
      'prometheus',
      'forward',
      'cache',
      'loop',
      'reload',
      'loadbalance',
    ]);
    expect(server?.plugins[3]).toEqual({
      name: 'kubernetes',
      args: ['cluster.local', 'in-addr.arpa', 'ip6.arpa'],
      body: [
        ['pods', 'insecure'],
        ['fallthrough', 'in-addr.arpa', 'ip6.arpa'],
        ['ttl', '30'],
      ],
    });
  });

  test('several servers, zones, comments, quotes, deeper blocks', () => {
    const { value, unparsed } = parseCorefile(CUSTOM);
    expect(unparsed).toEqual([]);
    expect(value.servers.map((server) => server.zones)).toEqual([['corp.test:53', 'example.org'], ['.:53']]);
    expect(value.servers[0]?.plugins).toEqual([
      { name: 'errors', args: [], body: [] },
      {
        name: 'forward',
        args: ['.', '10.0.0.53', 'tls://10.0.0.54'],
        body: [['tls_servername', 'dns corp'], ['health_check', '5s', '{'], ['no_rec'], ['}']],
      },
    ]);
    expect(value.servers[1]?.plugins.map((plugin) => plugin.name)).toEqual(['hosts', 'import', 'template']);
  });

  test('zones over several lines', () => {
    expect(parseCorefile('a.test,\nb.test {\n  cache\n}\n').value.servers[0]?.zones).toEqual(['a.test', 'b.test']);
  });

  test('a block that is not closed, and text outside of one, are told', () => {
    expect(parseCorefile('.:53 {\n  forward . 10.0.0.1\n').unparsed).toEqual([
      { line: 1, text: '.:53 { (the block is not closed)' },
    ]);
    expect(parseCorefile('.:53 {\n  forward . 10.0.0.1 {\n  max 1\n').unparsed).toHaveLength(1);
    expect(parseCorefile('what\n.:53 {\n}\n')).toMatchObject({ value: { servers: [{}] }, unparsed: [{ line: 1 }] });
    expect(parseCorefile('{\n}\n').unparsed).toHaveLength(2);
  });

  test('never throws', () => {
    for (const text of [KUBEADM, CUSTOM]) expectEveryTruncationParses(text, parseCorefile);
    expectFuzzParses([KUBEADM, CUSTOM], parseCorefile);
  });
});
