import type { IptablesMatch, IptablesOption } from '../parse/iptables-save.ts';
import type { HookInput } from './hook.ts';
import {
  type Evaluator,
  firstValue,
  type ModuleTable,
  maskedValue,
  numberOf,
  perOption,
  type TruthEvaluator,
} from './iptables-match-types.ts';
import { lookupRoute } from './routes.ts';
import type { Truth } from './trace.ts';
import { not, truth } from './truth.ts';

/** Modules about what the kernel keeps beside the packet: marks, chance, bridge ports, sockets, memory of earlier packets. */
export const META_MODULES: ModuleTable = {
  mark: perOption({
    mark: (option) => {
      const wanted = maskedValue(firstValue(option));
      return wanted && (({ meta }) => truth((meta.mark & wanted.mask) >>> 0 === wanted.value));
    },
  }),
  statistic: compileStatistic,
  recent: compileRecent,
  rpfilter: compileRpfilter,
  physdev: perOption({
    'physdev-in': (option) => portNameTest(option, (input) => input.physicalInput),
    'physdev-out': (option) => portNameTest(option, (input) => input.physicalOutput),
    'physdev-is-in': () => (input) => truth(input.physicalInput !== undefined),
    'physdev-is-out': () => (input) => truth(input.physicalOutput !== undefined),
    'physdev-is-bridged': () => (input) => truth(input.physicalOutput !== undefined),
  }),
  owner: perOption({
    'uid-owner': (option) => ownerTest(option, (socket) => socket.uid),
    'gid-owner': (option) => ownerTest(option, (socket) => socket.gid),
    'socket-exists': () => (input) => truth(isSentHere(input)),
  }),
};

/** random: the chance itself; nth: one in `every`, as the counter's place is not known (xt_statistic.c). */
function compileStatistic(match: IptablesMatch): Evaluator | undefined {
  const option = (name: string): IptablesOption | undefined => match.options.find((one) => one.name === name);
  const mode = option('mode')?.values[0];
  const main = mode === 'random' ? option('probability') : mode === 'nth' ? option('every') : undefined;
  const value = Number(main?.values[0]);
  if (!main || !Number.isFinite(value)) return undefined;
  const plain = mode === 'random' ? value : value > 0 ? 1 / value : Number.NaN;
  if (!(plain >= 0 && plain <= 1)) return undefined;
  const probability = main.negated ? 1 - plain : plain;
  if (probability === 1) return () => 'yes';
  return probability === 0 ? () => 'no' : () => ({ probability });
}

/** `--set` writes and always matches (xt_recent.c); what the list holds is not read, so the rest is undecided. */
function compileRecent(match: IptablesMatch): Evaluator | undefined {
  const set = match.options.find((option) => option.name === 'set');
  if (set) return () => (set.negated ? 'no' : 'yes');
  return match.options.some((option) => ['rcheck', 'update', 'remove'].includes(option.name))
    ? () => 'unknown'
    : undefined;
}

/** `--physdev-in` compares with the port; on a packet without one only the negation matches (xt_physdev.c). */
function portNameTest(
  option: IptablesOption,
  pick: (input: HookInput) => string | undefined,
): TruthEvaluator | undefined {
  const name = firstValue(option);
  if (name === undefined) return undefined;
  return (input) => {
    const port = pick(input);
    if (port === undefined) return 'no';
    return truth(name.endsWith('+') ? port.startsWith(name.slice(0, -1)) : port === name);
  };
}

function isSentHere(input: HookInput): boolean {
  return input.socket !== undefined && (input.hook === 'output' || input.hook === 'postrouting');
}

/**
 * Whether the way back to the source leaves by the input device, or (loose) exists at all (xt_rpfilter.c); `--invert` turns
 * it. What comes by lo passes.
 */
function compileRpfilter(match: IptablesMatch): Evaluator | undefined {
  const names = new Set(match.options.map((option) => option.name));
  if ([...names].some((name) => !['loose', 'validmark', 'accept-local', 'invert'].includes(name))) return undefined;
  const inverted = names.has('invert');
  return (input) => {
    const passes = rpfilterPasses(input, names);
    return inverted ? not(passes) : passes;
  };
}

function rpfilterPasses(input: HookInput, names: ReadonlySet<string>): Truth {
  const { packet, meta, snapshot, place } = input;
  if (input.input === undefined || input.input === 'lo') return 'yes';
  const lookup = lookupRoute(snapshot, place, {
    source: packet.ip.destination,
    destination: packet.ip.source,
    tos: packet.ip.tos,
    mark: names.has('validmark') ? meta.mark : 0,
  });
  if (lookup.state === 'unseen') return 'unknown';
  const answers = new Set(
    lookup.ways.map(({ found, doubt }): Truth => {
      if (doubt !== undefined) return 'unknown';
      const isFit = found.type === 'unicast' || (found.type === 'local' && names.has('accept-local'));
      const leavesThere = found.route?.nextHops.some((hop) => hop.device === input.input) ?? false;
      return truth(isFit && (names.has('loose') || leavesThere));
    }),
  );
  return answers.size === 1 ? [...answers][0]! : 'unknown';
}

/**
 * A forwarded packet has no socket; then only a rule whose tests are all negated matches (xt_owner.c: `match ^ invert`
 * must be 0). The owner of a socket of ours is known only where the walk was told.
 */
function ownerTest(
  option: IptablesOption,
  pick: (socket: NonNullable<HookInput['socket']>) => number | undefined,
): TruthEvaluator | undefined {
  const range = /^(?<from>\d+)(?:-(?<to>\d+))?$/.exec(firstValue(option) ?? '')?.groups;
  const from = numberOf(range?.from);
  if (from === undefined) return undefined;
  const to = numberOf(range?.to) ?? from;
  return (input): Truth => {
    if (!isSentHere(input)) return 'no';
    const id = pick(input.socket!);
    return id === undefined ? 'unknown' : truth(id >= from && id <= to);
  };
}
