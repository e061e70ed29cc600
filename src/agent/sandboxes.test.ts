import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseProcessStat, readSandboxes } from './sandboxes.ts';

const WEB = '335e7dca-85f3-4484-aa3a-c63cff0e1546';
const BARE = 'f95a577e-ab93-4e3d-bbe5-5394d30de80e';
const PAUSE = 'a'.repeat(64);
const APP = 'b'.repeat(64);
const LONE = 'c'.repeat(64);

let proc = '';

function addProcess(pid: number, cgroup: string, net: number, command: string, startedTicks: number, userId = 0): void {
  const directory = join(proc, String(pid));
  mkdirSync(join(directory, 'ns'), { recursive: true });
  writeFileSync(join(directory, 'cgroup'), `0::${cgroup}\n`);
  const before = 'S 1 1 1 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0';
  writeFileSync(join(directory, 'stat'), `${pid} (${command}) ${before} ${startedTicks} 1000 200\n`);
  writeFileSync(join(directory, 'status'), `Name:\t${command}\nUid:\t${userId}\t${userId}\t${userId}\t${userId}\n`);
  symlinkSync(`net:[${net}]`, join(directory, 'ns', 'net'));
}

beforeAll(() => {
  proc = mkdtempSync(join(tmpdir(), 'podtriage-proc-'));
  addProcess(1, '/init.scope', 4026531840, 'systemd', 1);
  addProcess(700, `/kubepods/burstable/pod${WEB}/${APP}`, 4026532700, 'server', 9000, 101);
  addProcess(701, `/kubepods/burstable/pod${WEB}/${APP}`, 4026532999, 'nested', 9001, 101);
  addProcess(800, `/kubepods/burstable/pod${WEB}/${PAUSE}`, 4026532700, 'pause', 8000, 65535);
  addProcess(900, `/kubepods/pod${BARE}/crio-${LONE}`, 4026532800, 'app) (S 1', 7000);
  // Ended between the listing and the reading.
  mkdirSync(join(proc, '901'));
  mkdirSync(join(proc, 'sys'));
});

afterAll(() => rmSync(proc, { recursive: true }));

describe('readSandboxes', () => {
  it('finds each pod’s namespace, containers and processes', () => {
    const { hostNetworkNamespace, pods } = readSandboxes(proc, 4026531840);
    expect(hostNetworkNamespace).toBe(4026531840);
    expect(pods.map(({ uid }) => uid)).toEqual([WEB, BARE]);
    expect(pods[0]).toEqual({
      uid: WEB,
      networkNamespace: 4026532700,
      pids: [800, 700, 701],
      containerPid: 700,
      containers: [
        { id: PAUSE, pid: 800, command: 'pause', uid: 65535 },
        { id: APP, pid: 700, command: 'server', uid: 101 },
      ],
    });
  });

  it('knows a pod without a pause process', () => {
    expect(readSandboxes(proc, 4026531840).pods[1]).toMatchObject({ networkNamespace: 4026532800, containerPid: 900 });
  });
});

describe('parseProcessStat', () => {
  it('is not led astray by a command’s name', () => {
    const text = '900 (app) (S 1) S 1 1 1 0 -1 4194560 100 0 0 0 1 2 0 0 20 0 1 0 7000 1000';
    expect(parseProcessStat(text)).toEqual({ command: 'app) (S 1', startedTicks: 7000 });
  });

  it('has no answer to what is cut', () => {
    expect(parseProcessStat('900 (app) S 1 1')).toBeUndefined();
    expect(parseProcessStat('')).toBeUndefined();
  });
});
