import { mkdir } from 'node:fs/promises';

/**
 * `--pdeathsig` binds unshare to the runner, `--kill-child` what is inside to unshare: it ends when the runner does,
 * even by SIGKILL, and with the first process of the PID namespace the kernel ends all others. The shell stays as that
 * first process and buries what others leave behind.
 */
const bound = (namespaces: readonly string[], setUp: string, argv: readonly string[]): readonly string[] => [
  ...['setpriv', '--pdeathsig', 'KILL', '--'],
  ...['unshare', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private'],
  ...[...namespaces, '--', 'sh', '-c', `${setUp}"$@"; exit $?`, 'sh', ...argv],
];

/** The command line that runs a long program which the runner does not outlive. Needs root. */
export const boundToRunner = (argv: readonly string[]): readonly string[] => bound([], '', argv);

/** Names of network namespaces of its own, and a loopback device that works. */
const SET_UP = `mount -t tmpfs -o mode=755 tmpfs /run/netns && mount --make-shared /run/netns &&
ip link set lo up || exit 1
`;

/**
 * The command line that runs a suite in mount, network and PID namespaces of its own: what it mounts, starts and wires
 * is gone when it ends, however it ends. Needs root.
 */
export const inPrivateNamespaces = async (argv: readonly string[]): Promise<readonly string[]> => {
  await mkdir('/run/netns', { recursive: true });
  return bound(['--net'], SET_UP, argv);
};
