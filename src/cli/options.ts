import { type Command, InvalidArgumentError, Option } from 'commander';

/** The options that every command of the road understands. */
export interface CommonOptions {
  readonly output: 'text' | 'json';
  readonly bundle?: string;
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly namespace?: string;
  readonly as?: string;
  readonly image?: string;
  readonly imagePullSecret?: string;
  readonly helperNamespace?: string;
  /** Mebibytes. */
  readonly helperMemory?: number;
  readonly privileged: boolean;
  readonly dryRun: boolean;
  /** Seconds for the whole run. */
  readonly timeout: number;
  readonly probe: boolean;
  readonly capture: boolean;
  readonly quiet: boolean;
  readonly verbose: boolean;
}

/** `collect` has no report to print: its `-o` names the bundle to write. */
export function addCommonOptions(
  command: Command,
  how: { readonly outputIsFile: boolean } = { outputIsFile: false },
): Command {
  const output = how.outputIsFile
    ? new Option('-o, --file <file>', 'the bundle to write')
    : new Option('-o, --output <format>', 'how to print the result').choices(['text', 'json']).default('text');
  return clusterOptions(
    command
      .addOption(output)
      .option('--bundle <file>', 'diagnose a bundle that "collect" wrote, instead of a live cluster'),
  )
    .option('--timeout <seconds>', 'limit of the whole run', positiveNumber, 60)
    .option('--no-probe', 'send nothing: read state only')
    .option('--no-capture', 'capture nothing')
    .option('-v, --verbose', 'more of everything', false);
}

/** Which cluster, as whom, and how its helpers are made. */
export function clusterOptions(command: Command): Command {
  return command
    .option('--kubeconfig <file>', 'kubeconfig to use (default: KUBECONFIG, ~/.kube/config, the service account)')
    .option('--context <name>', 'context of the kubeconfig')
    .option('-n, --namespace <name>', 'namespace of names that give none')
    .option('--as <user>', 'impersonate this user')
    .option('--image <reference>', 'image of the node side')
    .option('--image-pull-secret <name>', 'pull secret, in the helpers’ namespace, for the image')
    .option('--helper-namespace <name>', 'namespace for the helper pods (default: podtriage, made where it is missing)')
    .option('--helper-memory <mebibytes>', 'what a helper may use, for huge rule sets (default: 256)', helperMebibytes)
    .option('--privileged', 'run the helpers privileged instead of with listed capabilities', false)
    .option('--dry-run', 'print what would be created and run; change nothing', false)
    .option('-q, --quiet', 'no progress on stderr', false);
}

export function positiveNumber(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new InvalidArgumentError('a number above 0 is expected');
  return value;
}

const HELPER_MIN_MEBIBYTES = 128;

export function helperMebibytes(text: string): number {
  const value = positiveNumber(text);
  if (!Number.isInteger(value) || value < HELPER_MIN_MEBIBYTES)
    throw new InvalidArgumentError(`a helper needs ${HELPER_MIN_MEBIBYTES} MiB`);
  return value;
}

export function portNumberOrName(text: string): string {
  if (/^\d+$/.test(text) && (Number(text) < 1 || Number(text) > 65535))
    throw new InvalidArgumentError('a port is 1 to 65535, or a port’s name');
  return text;
}

const IP_LENGTH_MIN_BYTES = 28;
const IP_LENGTH_MAX_BYTES = 65_535;

/** The length of an IP packet. */
export function byteCount(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < IP_LENGTH_MIN_BYTES || value > IP_LENGTH_MAX_BYTES)
    throw new InvalidArgumentError(`a length is ${IP_LENGTH_MIN_BYTES} to ${IP_LENGTH_MAX_BYTES} bytes`);
  return value;
}

export function userId(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 0xffff_fffe) throw new InvalidArgumentError('a user is its number');
  return value;
}
