import { mkdir } from 'node:fs/promises';

/**
 * Set-up inside the new namespaces: names of network namespaces of its own, and a loopback device that works.
 * The shell stays as the first process there, which buries what others leave behind; with its end, however it comes,
 * the kernel ends all others.
 */
const SET_UP = `mount -t tmpfs -o mode=755 tmpfs /run/netns && mount --make-shared /run/netns &&
ip link set lo up && "$@"`;

/**
 * The command line that runs a suite in mount, network and PID namespaces of its own. What it mounts, starts and wires
 * is gone when it ends; and it ends when its parent does, even by SIGKILL: `--pdeathsig` binds unshare to the runner,
 * `--kill-child` the suite to unshare.
 */
export const inPrivateNamespaces = async (argv: readonly string[]): Promise<readonly string[]> => {
  await mkdir('/run/netns', { recursive: true });
  const bound = ['setpriv', '--pdeathsig', 'KILL', '--'];
  const unshare = ['unshare', '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc'];
  return [...bound, ...unshare, '--propagation', 'private', '--', 'sh', '-c', SET_UP, 'sh', ...argv];
};
