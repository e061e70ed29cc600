import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { hostOf, podPlace } from '../net/place.ts';
import { createSnapshot } from '../snapshot/create-snapshot.ts';
import { linkNamed } from './hook-input.ts';
import { receivingDevice } from './receiving-device.ts';
import { type Edit, edited, parseRecording, without } from './testing/recording.ts';
import { topologyOf } from './topology.ts';

const REPLIES = parseRecording(readFileSync(new URL('fixtures/flannel-vxlan.json', import.meta.url), 'utf8'));
const SNAPSHOT = createSnapshot(REPLIES);
const W1 = hostOf('w1');
const W2 = hostOf('w2');
const CLIENT = podPlace('w1', 'demo', 'client-tf545');

describe('topologyOf', () => {
  const topology = topologyOf(SNAPSHOT);

  it('knows whose an address is', () => {
    expect(topology.podAt('10.244.0.4')).toEqual(CLIENT);
    expect(topology.podAt('10.79.0.11')).toBeUndefined(); // kube-proxy's and flannel's pods are on the host's network
    expect(topology.hostsAt('10.79.0.12')).toEqual([W2]);
    expect(topology.hostsAt('10.244.1.0')).toEqual([W2]); // its flannel.1
    expect(topology.hostsAt('10.79.0.254')).toEqual([]);
    expect(topology.complete).toBe(true);
  });

  it('knows a node’s address from the API where its devices were not seen, and not against what was seen', () => {
    expect(topologyOf(without(REPLIES, W2)).hostsAt('10.79.0.12')).toEqual([W2]);
    const moved: Edit = ['links', W2, (text) => text.replaceAll('10.79.0.12', '10.79.0.13')];
    const after = topologyOf(edited(REPLIES, [moved]));
    expect(after.hostsAt('10.79.0.12')).toEqual([]);
    expect(after.hostsAt('10.79.0.13')).toEqual([W2]);
  });

  it('finds what a Service’s address stands for', () => {
    expect(topology.endpointsOf('10.96.218.39').toSorted()).toEqual(['10.244.0.3', '10.244.1.3']);
    expect(topology.endpointsOf('10.96.218.99')).toEqual([]);
  });

  it('pairs veths by both ends’ indexes', () => {
    const eth0 = linkNamed(SNAPSHOT, CLIENT, 'eth0')!;
    const peer = topology.peerOf(CLIENT, eth0);
    expect(peer).toMatchObject({ state: 'found', place: W1, link: { name: 'vethb8e68d63' } });
    const veth = linkNamed(SNAPSHOT, W1, 'vethb8e68d63')!;
    expect(topology.peerOf(W1, veth)).toMatchObject({ state: 'found', place: CLIENT, link: { name: 'eth0' } });
  });

  it('does not take another namespace’s device of the same index for the far end', () => {
    const nic = linkNamed(SNAPSHOT, W1, 'eth0')!;
    expect(nic.kind).toBe('veth'); // its far end is in the network between the nodes
    expect(topology.peerOf(W1, nic).state).toBe('unknown');
  });

  it('calls a far end missing only where it would have been seen', () => {
    const eth0 = linkNamed(SNAPSHOT, CLIENT, 'eth0')!;
    const gone: Edit = [
      'links',
      W1,
      (text) =>
        JSON.stringify((JSON.parse(text) as { ifname: string }[]).filter((one) => one.ifname !== 'vethb8e68d63')),
    ];
    expect(topologyOf(edited(REPLIES, [gone])).peerOf(CLIENT, eth0).state).toBe('missing');
    expect(topologyOf(without(REPLIES, W1)).peerOf(CLIENT, eth0).state).toBe('unknown');
  });

  it('names the lists that were not asked for', () => {
    const nothing = topologyOf(createSnapshot([]));
    expect(nothing.missing.map((want) => want.action)).toEqual(['api.pods', 'api.nodes']);
    expect(nothing.complete).toBe(false);
  });
});

describe('receivingDevice', () => {
  const sender = linkNamed(SNAPSHOT, W1, 'eth0');

  it('is the NIC, also for an address that an inner device holds', () => {
    expect(receivingDevice(SNAPSHOT, W2, sender, '10.79.0.12')!.name).toBe('eth0');
    expect(receivingDevice(SNAPSHOT, W2, sender, '10.244.1.1')!.name).toBe('eth0');
    expect(receivingDevice(SNAPSHOT, W2, undefined, '10.244.1.1')!.name).toBe('eth0');
  });

  it('is not made up for a node that was not seen', () => {
    expect(receivingDevice(without(REPLIES, W2), W2, sender, '10.79.0.12')).toBeUndefined();
  });
});
