import { describe, expect, test } from 'vitest';
import { parseHierarchies } from './cgroups.ts';

const V1 = `9:name=systemd:/
4:memory:/process_api/aa68
2:cpu,cpuacct:/a
0::/
`;
const V1_MOUNTS = `30 25 0:26 / /sys/fs/cgroup rw - tmpfs tmpfs rw,mode=755
31 30 0:27 / /sys/fs/cgroup/cpu,cpuacct rw,relatime shared:5 - cgroup cgroup rw,cpu,cpuacct
33 30 0:29 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
35 30 0:31 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,name=systemd
36 30 0:32 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`;

describe('parseHierarchies', () => {
  test('version 1 with its named hierarchy, and version 2 beside it', () => {
    expect(parseHierarchies(V1, V1_MOUNTS).map(({ version, own }) => [version, own])).toEqual([
      [1, '/sys/fs/cgroup/systemd'],
      [1, '/sys/fs/cgroup/memory/process_api/aa68'],
      [1, '/sys/fs/cgroup/cpu,cpuacct/a'],
      [2, '/sys/fs/cgroup/unified'],
    ]);
  });

  test('version 2 alone', () => {
    const mounts = '25 20 0:22 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n';
    expect(parseHierarchies('0::/user.slice/me\n', mounts)).toEqual([
      { version: 2, controllers: [], own: '/sys/fs/cgroup/user.slice/me', mount: '/sys/fs/cgroup' },
    ]);
  });

  test('a mount that shows a part of the hierarchy: the path is counted from there', () => {
    const mounts = '25 20 0:22 /docker/c1 /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n';
    expect(parseHierarchies('4:memory:/docker/c1/inner\n', mounts)[0]?.own).toBe('/sys/fs/cgroup/memory/inner');
  });

  test('a hierarchy that is not mounted is left out', () => {
    expect(parseHierarchies('7:blkio:/\n', V1_MOUNTS)).toEqual([]);
  });
});
