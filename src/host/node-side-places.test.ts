import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hostOf, podPlace } from '../net/place.ts';
import { createPlaces, type Places } from './node-side-places.ts';

const UID = '335e7dca-85f3-4484-aa3a-c63cff0e1546';
const LATE = 'f95a577e-ab93-4e3d-bbe5-5394d30de80e';
const web = podPlace('w1', 'shop', 'web');
let proc = '';
let now = 0;
let places: Places;

function addProcess(pid: number, uid: string, container: string, command: string): void {
  const directory = join(proc, String(pid));
  mkdirSync(join(directory, 'ns'), { recursive: true });
  writeFileSync(join(directory, 'cgroup'), `0::/kubepods/pod${uid}/${container.repeat(64)}\n`);
  writeFileSync(join(directory, 'stat'), `${pid} (${command}) S 1 1 1 0 -1 0 0 0 0 0 1 2 0 0 20 0 1 0 ${pid} 1\n`);
  writeFileSync(join(directory, 'status'), 'Uid:\t0\t0\t0\t0\n');
  symlinkSync('net:[4026532700]', join(directory, 'ns/net'));
}

beforeAll(() => {
  proc = mkdtempSync(join(tmpdir(), 'podtriage-places-'));
  addProcess(800, UID, 'a', 'pause');
  addProcess(810, UID, 'b', 'server');
  const namespaces = { 'w1|pod/lab/known': '/run/netns/known' };
  const access = { procRoot: proc, root: '/node', hostNetwork: '/node-net', enter: [], namespaces };
  places = createPlaces(access, () => now);
});

afterAll(() => rmSync(proc, { recursive: true }));

const ask = (place: typeof web, podUid?: string) => ({
  ...{ action: 'links', place, args: {}, round: 0 },
  ...(podUid === undefined ? {} : { podUid }),
});

describe('createPlaces', () => {
  it('knows the host, and namespaces that it was told of', () => {
    expect(places.networkOf(ask(hostOf('w1')))).toEqual({ net: '/node-net', enter: [] });
    expect(places.networkOf(ask(podPlace('w1', 'lab', 'known')))).toEqual({ net: '/run/netns/known', enter: [] });
  });

  it('takes an application’s container for what the pod sees', () => {
    expect(places.containerRootOf(ask(web, UID))).toBe(`${proc}/810/root`);
    expect(places.containerRootOf(ask(hostOf('w1')))).toBe('/node');
  });

  it('says why a pod cannot be entered', () => {
    expect(places.networkOf(ask(web))).toMatchObject({
      gap: 'unreachable',
      detail: expect.stringMatching(/no pod uid/),
    });
    expect(places.networkOf(ask(web, LATE))).toMatchObject({
      detail: expect.stringMatching(/no process of pod\/shop/),
    });
    // The process that held the namespace is not there any more: here its link leads nowhere.
    expect(places.networkOf(ask(web, UID))).toMatchObject({ detail: expect.stringMatching(/is gone/) });
  });

  it('looks again for a pod that it does not know', () => {
    now += 500;
    addProcess(900, LATE, 'c', 'late');
    expect(places.containerRootOf(ask(web, LATE))).toBe(`${proc}/900/root`);
  });
});
