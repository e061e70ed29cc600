import type { IptablesMatch, IptablesOption } from '../parse/iptables-save.ts';
import { type PortRange, portInRange } from './ephemeral-port.ts';
import type { HookInput } from './hook.ts';
import { addressMatcher } from './iptables-match-ip.ts';
import {
  type Evaluator,
  firstValue,
  hasConnection,
  type ModuleTable,
  perOption,
  rangeOf,
  type TruthEvaluator,
} from './iptables-match-types.ts';
import { protocolNumber } from './iptables-protocols.ts';
import type { Truth } from './trace.ts';
import { and, not, or, truth } from './truth.ts';

/** `conntrack` and `state` (net/netfilter/xt_conntrack.c, xt_state.c). */
export const CONNTRACK_MODULES: ModuleTable = {
  state: perOption({ state: (option) => stateTest(option) }),
  conntrack: compileConntrack,
};

type Tuple = HookInput['connection']['original'];
type Test = (input: HookInput) => Truth;

/** The options that need a connection, each before its `!`. */
const CONNECTION_TESTS: Readonly<Record<string, (option: IptablesOption) => Test | undefined>> = {
  ctstatus: statusTest,
  ctdir: (option) => directionTest(firstValue(option)),
  ctproto: (option) => protocolTest(firstValue(option)),
  ctorigsrc: (option) => addressTest(option, ({ connection }) => connection.original.source),
  ctorigdst: (option) => addressTest(option, ({ connection }) => connection.original.destination),
  ctreplsrc: (option) => addressTest(option, ({ connection }) => connection.answer?.source),
  ctrepldst: (option) => addressTest(option, ({ connection }) => connection.answer?.destination),
  ctorigsrcport: (option) => portTest(option, ({ connection }) => connection.original, 'source'),
  ctorigdstport: (option) => portTest(option, ({ connection }) => connection.original, 'destination'),
  ctreplsrcport: (option) => portTest(option, ({ connection }) => connection.answer, 'source'),
  ctrepldstport: (option) => portTest(option, ({ connection }) => connection.answer, 'destination'),
  // How long the entry will live is no part of what is collected.
  ctexpire: (option) => (rangeOf(firstValue(option), ':', 0xffff_ffff) ? () => 'unknown' : undefined),
};

/**
 * Without a connection the test of the state decides alone, and without one of that no rule matches, negated or not
 * (conntrack_mt: `if (ct == NULL) return info->match_flags & XT_CONNTRACK_STATE`).
 */
function compileConntrack(match: IptablesMatch): Evaluator | undefined {
  const states: Test[] = [];
  const others: Test[] = [];
  for (const option of match.options) {
    const isState = option.name === 'ctstate';
    const compile = Object.hasOwn(CONNECTION_TESTS, option.name) ? CONNECTION_TESTS[option.name] : undefined;
    const test = isState ? stateTest(option) : compile?.(option);
    if (!test) return undefined;
    (isState ? states : others).push(option.negated ? (input) => not(test(input)) : test);
  }
  return (input) => {
    const state = allOf(states, input);
    if (state === 'no') return 'no';
    if (!hasConnection(input)) return states.length > 0 ? state : 'no';
    return others.length === 0 ? state : and(state, allOf(others, input));
  };
}

function allOf(tests: readonly Test[], input: HookInput): Truth {
  let all: Truth = 'yes';
  for (const test of tests) all = and(all, test(input));
  return all;
}

const STATE_NAMES: Readonly<Record<HookInput['meta']['conntrack'], string>> = {
  none: 'INVALID',
  new: 'NEW',
  established: 'ESTABLISHED',
  related: 'RELATED',
  invalid: 'INVALID',
  untracked: 'UNTRACKED',
};
const STATES = new Set([...Object.values(STATE_NAMES), 'SNAT', 'DNAT']);

/** Before conntrack has seen the packet its state is INVALID, or NEW with CT's template. SNAT and DNAT are the connection's own translations. */
function stateTest(option: IptablesOption): TruthEvaluator | undefined {
  const states = (firstValue(option) ?? '').split(',');
  if (states.some((state) => !STATES.has(state))) return undefined;
  return ({ meta, hasTemplate }) => {
    const state = meta.conntrack === 'none' && hasTemplate ? 'NEW' : STATE_NAMES[meta.conntrack];
    if (states.includes(state)) return 'yes';
    if (state === 'INVALID' || state === 'UNTRACKED') return 'no';
    return truth(
      (states.includes('SNAT') && meta.nat.includes('source')) ||
        (states.includes('DNAT') && meta.nat.includes('destination')),
    );
  };
}

type StatusBit = 'expected' | 'seenReply' | 'assured' | 'confirmed';

const STATUS_BITS: Readonly<Record<string, StatusBit | undefined>> = {
  NONE: undefined,
  EXPECTED: 'expected',
  SEEN_REPLY: 'seenReply',
  ASSURED: 'assured',
  CONFIRMED: 'confirmed',
};

/** Any of the named bits; NONE is the empty mask, which nothing matches. */
function statusTest(option: IptablesOption): Test | undefined {
  const names = (firstValue(option) ?? '').split(',');
  if (names.some((name) => !Object.hasOwn(STATUS_BITS, name))) return undefined;
  const bits = names.flatMap((name) => STATUS_BITS[name] ?? []);
  return (input) => or('no', ...bits.map((bit) => statusOf(input, bit)));
}

/** Where the walk does not tell the bits, they follow from the state as far as they do. */
export function statusOf({ connection, meta }: HookInput, bit: StatusBit): Truth {
  if (connection.status) return connection.status[bit];
  if (meta.conntrack === 'new') return 'no';
  if (meta.conntrack === 'established' && (bit === 'confirmed' || bit === 'seenReply')) return 'yes';
  return 'unknown';
}

/** iptables keeps REPLY as the inverse of ORIGINAL; the option itself takes no `!`. */
function directionTest(value: string | undefined): Test | undefined {
  if (value !== 'ORIGINAL' && value !== 'REPLY') return undefined;
  return (input) => truth(input.connection.reply === (value === 'REPLY'));
}

/** The connection's protocol: of an ICMP error that of what it quotes. */
function protocolTest(value: string | undefined): Test | undefined {
  const number = value === undefined ? undefined : protocolNumber(value);
  if (number === undefined) return undefined;
  return (input) => truth(protocolNumber(connectionProtocol(input)) === number);
}

function connectionProtocol({ connection, packet }: HookInput): string | number {
  return connection.original.protocol ?? packet.l4.protocol;
}

/**
 * iptables-save up to 1.8.9 leaves out a mask that is no prefix (conntrack_dump_addr in libxt_conntrack.c), so that such a
 * rule is read as one about a single address.
 */
function addressTest(option: IptablesOption, pick: (input: HookInput) => string | undefined): Test | undefined {
  const matches = addressMatcher(firstValue(option));
  if (!matches) return undefined;
  return (input) => {
    const address = pick(input);
    return address === undefined ? 'unknown' : truth(matches(address));
  };
}

/** ICMP's id stands as the source's port and its type and code as the destination's (struct nf_conntrack_tuple). */
function portTest(
  option: IptablesOption,
  pick: (input: HookInput) => Tuple | undefined,
  end: 'source' | 'destination',
): Test | undefined {
  const range = rangeOf(firstValue(option), ':', 65535);
  if (!range) return undefined;
  return (input) => {
    const tuple = pick(input);
    return tuple === undefined ? 'unknown' : portOfTuple(tuple, end, range, connectionProtocol(input));
  };
}

/** DCCP, UDP-Lite and GRE have ports or keys that the walk does not know; what is tracked generically has port 0. */
const UNKNOWN_PORTS = new Set([33, 47, 136]);

function portOfTuple(tuple: Tuple, end: 'source' | 'destination', range: PortRange, protocol: string | number): Truth {
  if (tuple.type !== undefined && end === 'destination') {
    return portInRange(tuple.type * 256 + (tuple.code ?? 0), range);
  }
  const port = end === 'source' ? tuple.sourcePort : tuple.destinationPort;
  if (port !== undefined) return portInRange(port, range, tuple.chosenFrom);
  return UNKNOWN_PORTS.has(protocolNumber(protocol) ?? -1) ? 'unknown' : portInRange(0, range);
}
