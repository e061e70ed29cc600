import { describe, expect, test } from 'vitest';
import { type GivenFact, given, snapshotOf } from '../../test/scenarios/given-facts.ts';
import { SHOP } from '../../test/scenarios/shop-cluster.ts';
import { podPlace } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import { backendsLeftOut, ENDPOINT_FLOWS_MAX, plannedFlows } from './flows.ts';
import type { Question } from './question.ts';
import { type QuestionWords, resolveQuestion } from './resolve-question.ts';

const web = podPlace('w1', 'shop', 'web-7d9-c');
const eth0 = {
  index: 2,
  name: 'eth0',
  flags: ['UP'],
  mtu: 1450,
  operstate: 'UP',
  type: 'ether',
  addresses: [],
} as const;
const lo = { ...eth0, index: 1, name: 'lo', mtu: 65536, type: 'loopback' };
const links = given('links', [lo, eth0] satisfies Link[], web);
const resolv = given('resolv-conf', { nameservers: ['10.96.0.10'], search: [], options: {} }, web);

function flows(destination: string, more: readonly GivenFact[] = [], words: Partial<QuestionWords> = {}, names = {}) {
  const snapshot = snapshotOf([...SHOP, ...more]);
  const question = resolveQuestion(snapshot, { source: 'pod/shop/web-7d9-c', destination, ...words }) as Question;
  return plannedFlows(snapshot, question, new Map(Object.entries(names)));
}

const ids = (list: ReturnType<typeof flows>) => list.map((one) => one.id);

describe('plannedFlows', () => {
  test('a Service: main to its address, ping, and each usable backend past it', () => {
    const list = flows('svc/shop/api:80');
    expect(ids(list)).toEqual(['main', 'icmp', 'endpoint/10.244.1.7', 'endpoint/10.244.2.6']);
    expect(list[0]).toMatchObject({
      from: web,
      protocol: 'tcp',
      packet: {
        ip: { source: '10.244.1.7', destination: '10.96.0.20', ttl: 64, df: true },
        l4: { protocol: 'tcp', sourcePort: 'ephemeral', destinationPort: 80, flags: ['syn'] },
        lengthBytes: 60,
      },
    });
    expect(list[2]!.packet.l4).toMatchObject({ destinationPort: 8080 });
    expect(list[1]!.packet).toMatchObject({ l4: { protocol: 'icmp', type: 8 }, lengthBytes: 84 });
  });

  test('of a Service of many backends some are tried, and that is said', () => {
    const addresses = (count: number) => Array.from({ length: count }, (_, index) => `10.244.3.${index + 1}`);
    const many = (count: number) =>
      given('api.endpointslices', [
        {
          metadata: { name: 'api-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'api' } },
          addressType: 'IPv4',
          ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
          endpoints: addresses(count).map((address) => ({ addresses: [address], conditions: { ready: true } })),
        },
      ]);
    const asked = (count: number) => {
      const snapshot = snapshotOf([...SHOP, many(count)]);
      const words = { source: 'pod/shop/web-7d9-c', destination: 'svc/shop/api:80' };
      const question = resolveQuestion(snapshot, words) as Question;
      const tried = plannedFlows(snapshot, question).filter(({ purpose }) => purpose === 'endpoint');
      return { tried: tried.length, said: backendsLeftOut(snapshot, question).join() };
    };
    expect(asked(ENDPOINT_FLOWS_MAX)).toEqual({ tried: ENDPOINT_FLOWS_MAX, said: '' });
    expect(asked(12)).toEqual({
      tried: ENDPOINT_FLOWS_MAX,
      said: expect.stringContaining('8 of the Service’s 12 backends'),
    });
  });

  test('with the device known, a packet of its full MTU goes along', () => {
    const list = flows('pod/shop/db-0:5432', [links]);
    expect(ids(list)).toEqual(['main', 'icmp', 'large']);
    expect(list[2]!.packet).toMatchObject({ lengthBytes: 1450, ip: { df: true }, l4: { protocol: 'icmp' } });
  });

  test('a pod that resolves names asks its nameserver; asked about a name, also each endpoint behind it', () => {
    expect(ids(flows('pod/shop/db-0:5432', [resolv]))).toEqual(['main', 'icmp', 'dns/10.96.0.10']);
    const list = flows('api:80', [resolv]);
    expect(ids(list)).toEqual([
      'main',
      'icmp',
      'endpoint/10.244.1.7',
      'endpoint/10.244.2.6',
      'dns/10.96.0.10',
      'dns-endpoint/10.244.1.2',
    ]);
    expect(list[4]).toMatchObject({ protocol: 'udp', packet: { l4: { destinationPort: 53 } } });
    expect(list[0]!.packet.ip.destination).toBe('10.96.0.20');
  });

  test('a name outside has no main packet before it is resolved', () => {
    expect(ids(flows('www.example.com:443', [resolv]))).toEqual(['dns/10.96.0.10', 'dns-endpoint/10.244.1.2']);
    const list = flows('www.example.com:443', [], {}, { 'www.example.com': ['198.51.100.9'] });
    expect(list[0]!.packet.ip.destination).toBe('198.51.100.9');
    const alias = flows('svc/shop/out:443', [], {}, { 'storage.example.com': ['198.51.100.8'] });
    expect(alias[0]!.packet.ip.destination).toBe('198.51.100.8');
  });

  test('a headless Service leads to a pod, on the port that was asked for', () => {
    const list = flows('svc/shop/db:5432');
    expect(list[0]).toMatchObject({ id: 'main', packet: { ip: { destination: '10.244.2.9' } } });
  });

  test('a NodePort leads to the node, and past it to the backends of its Service', () => {
    const list = flows('node/w2:30080');
    expect(list[0]!.packet).toMatchObject({ ip: { destination: '10.0.0.12' }, l4: { destinationPort: 30080 } });
  });

  test('from outside the cluster', () => {
    const list = flows('node/w2:22', [], { source: 'ip/203.0.113.9' });
    expect(list[0]).toMatchObject({ from: { outside: '203.0.113.9' }, packet: { ip: { source: '203.0.113.9' } } });
  });

  test('a source without a network sends nothing, a pod without address gets nothing', () => {
    expect(flows('svc/shop/api:80', [], { source: 'pod/shop/waiting' })).toEqual([]);
    expect(flows('pod/shop/waiting:80')).toEqual([]);
  });

  test('a port name that the Service lacks leaves no main packet', () => {
    expect(ids(flows('svc/shop/api:grpc'))).toEqual(['icmp']);
  });
});
