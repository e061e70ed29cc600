import { describe, expect, it } from 'vitest';
import { parseCgroupFile, parseCgroupPath } from './cgroup.ts';

const UID = '335e7dca-85f3-4484-aa3a-c63cff0e1546';
const UID_ = '335e7dca_85f3_4484_aa3a_c63cff0e1546';
const ID = '06aa0f3702bd34b2795f14610a907123f7ce91737cb42689c3e4bf0f5fd4080f';
const INNER = 'ab665cd374cfb4cb6de7b0852be43fcf5ffc1a01821fccd0f8365d568fda197e';

describe('parseCgroupPath', () => {
  it.each([
    ['containerd and docker, cgroupfs', `/kubepods/burstable/pod${UID}/${ID}`],
    ['the same, guaranteed', `/kubepods/pod${UID}/${ID}`],
    ['CRI-O, cgroupfs', `/kubepods/besteffort/pod${UID}/crio-${ID}`],
    [
      'containerd, systemd',
      `/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod${UID_}.slice/cri-containerd-${ID}.scope`,
    ],
    ['the same, guaranteed', `/kubepods.slice/kubepods-pod${UID_}.slice/cri-containerd-${ID}.scope`],
    [
      'CRI-O, systemd',
      `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/crio-${ID}.scope`,
    ],
    [
      'CRI-O, systemd, cgroup v2',
      `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/crio-${ID}.scope/container`,
    ],
    [
      'docker, systemd',
      `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/docker-${ID}.scope`,
    ],
    [
      'containerd without SystemdCgroup under a systemd kubelet',
      `/system.slice/containerd.service/kubepods-besteffort-pod${UID_}.slice:cri-containerd:${ID}`,
    ],
    [
      'a node in a container (kind), systemd',
      `/system.slice/docker-${INNER}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod${UID_}.slice/cri-containerd-${ID}.scope`,
    ],
    ['a node in a container (kind), cgroupfs', `/docker/${INNER}/kubelet/kubepods/besteffort/pod${UID}/${ID}`],
    [
      'seen from a cgroup namespace',
      `/../../kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/cri-containerd-${ID}.scope`,
    ],
    ['seen from a cgroup namespace, cgroupfs', `/../../pod${UID}/${ID}`],
    ['a container that makes cgroups itself', `/kubepods/burstable/pod${UID}/${ID}/docker/${INNER}`],
  ])('knows %s', (_, path) => {
    expect(parseCgroupPath(path)).toEqual({ uid: UID, container: ID });
  });

  it('knows a static pod, whose uid is a hash', () => {
    expect(parseCgroupPath(`/kubepods/burstable/pod0cc175b9c0f1b6a831c399e269772661/${ID}`)).toEqual({
      uid: '0cc175b9c0f1b6a831c399e269772661',
      container: ID,
    });
  });

  it('keeps a process of the pod that is in no container', () => {
    expect(parseCgroupPath(`/kubepods/burstable/pod${UID}`)).toEqual({ uid: UID });
    expect(parseCgroupPath(`/kubepods/burstable/pod${UID}/kata_overhead`)).toEqual({ uid: UID });
  });

  it.each([
    ['the node itself', '/system.slice/containerd.service'],
    ['the root', '/'],
    ['a plain docker container', `/docker/${ID}`],
    [
      'CRI-O’s monitor, which is in the node’s namespaces',
      `/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${UID_}.slice/crio-conmon-${ID}.scope`,
    ],
    ['a podman pod', `/machine.slice/libpod-${ID}.scope`],
    ['a uid that is cut', `/kubepods/burstable/pod${UID.slice(0, 30)}/${ID}`],
  ])('takes %s for no pod', (_, path) => {
    expect(parseCgroupPath(path)).toBeUndefined();
  });
});

describe('parseCgroupFile', () => {
  it('reads cgroup v1, where a controller may be mounted elsewhere', () => {
    const text = [
      '9:name=systemd:/ref-w2/kubepods/burstable',
      `8:pids:/ref-w2/kubepods/burstable/pod${UID}`,
      `4:memory:/some/where/ref-w2/kubepods/burstable/pod${UID}/${ID}`,
      '0::/ref-w2',
      '',
    ].join('\n');
    expect(parseCgroupFile(text)).toEqual({ uid: UID, container: ID });
  });

  it('reads cgroup v2', () => {
    const slice = `kubepods-burstable-pod${UID_}.slice`;
    const text = `0::/kubepods.slice/kubepods-burstable.slice/${slice}/cri-containerd-${ID}.scope\n`;
    expect(parseCgroupFile(text)).toEqual({ uid: UID, container: ID });
  });

  it('finds nothing in a file that is empty, cut before the uid ends, or foreign', () => {
    const whole = `0::/kubepods/burstable/pod${UID}/${ID}`;
    for (let length = 0; length < whole.indexOf(UID) + UID.length; length++) {
      expect(parseCgroupFile(whole.slice(0, length))).toBeUndefined();
    }
    expect(parseCgroupFile('nonsense')).toBeUndefined();
  });
});
