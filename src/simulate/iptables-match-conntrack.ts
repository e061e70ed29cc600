import { parsePrefix, prefixContains } from '../net/prefix.ts';
import type { IptablesOption } from '../parse/iptables-save.ts';
import type { HookInput } from './hook.ts';
import { protocolNumber } from './iptables-match-ip.ts';
import { portInRange } from './iptables-match-ports.ts';
import {
  firstValue,
  type ModuleTable,
  maskedValue,
  perOption,
  rangeOf,
  type TruthEvaluator,
} from './iptables-match-types.ts';
import type { Truth } from './trace.ts';
import { or, truth } from './truth.ts';

/** `conntrack` and `state` (net/netfilter/xt_conntrack.c, xt_state.c), and the mark of the connection. */
export const CONNTRACK_MODULES: ModuleTable = {
  state: perOption({ state: (option) => stateTest(option) }),
  conntrack: perOption({
    ctstate: (option) => stateTest(option),
    ctstatus: (option) => tracked(statusTest(option)),
    ctdir: (option) => tracked(directionTest(firstValue(option))),
    ctproto: (option) => tracked(protocolTest(firstValue(option))),
    ctorigsrc: (option) => tracked(endTest(option, (input) => input.connection.original.source)),
    ctorigdst: (option) => tracked(endTest(option, (input) => input.connection.original.destination)),
    ctreplsrc: (option) => tracked(endTest(option, (input) => input.connection.answer?.source)),
    ctrepldst: (option) => tracked(endTest(option, (input) => input.connection.answer?.destination)),
    ctorigsrcport: (option) => tracked(portTest(option, (input) => input.connection.original.sourcePort)),
    ctorigdstport: (option) => tracked(portTest(option, (input) => input.connection.original.destinationPort)),
    ctreplsrcport: (option) => tracked(portTest(option, (input) => input.connection.answer?.sourcePort)),
    ctrepldstport: (option) => tracked(portTest(option, (input) => input.connection.answer?.destinationPort)),
    ctexpire: () => () => 'unknown',
  }),
  connmark: perOption({
    mark: (option) => {
      const wanted = maskedValue(firstValue(option));
      return wanted && ((input) => truth((input.meta.connmark & wanted.mask) >>> 0 === wanted.value));
    },
  }),
};

const STATES = new Set(['NEW', 'ESTABLISHED', 'RELATED', 'INVALID', 'UNTRACKED', 'SNAT', 'DNAT']);

function isTracked(input: HookInput): boolean {
  return !['none', 'untracked', 'invalid'].includes(input.meta.conntrack);
}

/** Without a connection every test but that of the state fails (xt_conntrack.c, conntrack_mt). */
function tracked(test: TruthEvaluator | undefined): TruthEvaluator | undefined {
  return test && ((input) => (isTracked(input) ? test(input) : 'no'));
}

/** Before conntrack has seen the packet its state is INVALID. SNAT and DNAT are the connection's own translations. */
function stateTest(option: IptablesOption): TruthEvaluator | undefined {
  const states = (firstValue(option) ?? '').split(',');
  if (states.some((state) => !STATES.has(state))) return undefined;
  return ({ meta }) => {
    const state = meta.conntrack === 'none' ? 'INVALID' : meta.conntrack.toUpperCase();
    if (states.includes(state)) return 'yes';
    if (state === 'INVALID' || state === 'UNTRACKED') return 'no';
    return truth(
      (states.includes('SNAT') && meta.nat.includes('source')) ||
        (states.includes('DNAT') && meta.nat.includes('destination')),
    );
  };
}

/** CONFIRMED and SEEN_REPLY follow from the state; EXPECTED and ASSURED can't be told from it. */
function statusTest(option: IptablesOption): TruthEvaluator | undefined {
  const statuses = (firstValue(option) ?? '').split(',');
  if (statuses.some((status) => !['NONE', 'EXPECTED', 'SEEN_REPLY', 'ASSURED', 'CONFIRMED'].includes(status))) {
    return undefined;
  }
  return ({ meta }) => {
    const isNew = meta.conntrack === 'new';
    const each = statuses.map((status): Truth => {
      if (status === 'NONE') return isNew ? 'yes' : 'no';
      if (status === 'CONFIRMED' || status === 'SEEN_REPLY') return isNew ? 'no' : 'yes';
      return isNew ? 'no' : 'unknown';
    });
    return or('no', ...each);
  };
}

function directionTest(value: string | undefined): TruthEvaluator | undefined {
  if (value !== 'ORIGINAL' && value !== 'REPLY') return undefined;
  return (input) => truth(input.connection.reply === (value === 'REPLY'));
}

function protocolTest(value: string | undefined): TruthEvaluator | undefined {
  const number = value === undefined ? undefined : protocolNumber(value);
  return number === undefined ? undefined : (input) => truth(protocolNumber(input.packet.l4.protocol) === number);
}

function endTest(option: IptablesOption, pick: (input: HookInput) => string | undefined): TruthEvaluator | undefined {
  const prefix = parsePrefix(firstValue(option) ?? '');
  if (!prefix) return undefined;
  return (input) => {
    const address = pick(input);
    return address === undefined ? 'unknown' : truth(prefixContains(prefix, address));
  };
}

function portTest(
  option: IptablesOption,
  pick: (input: HookInput) => number | 'ephemeral' | undefined,
): TruthEvaluator | undefined {
  const range = rangeOf(firstValue(option), ':', 65535);
  if (!range) return undefined;
  return (input) => {
    const port = pick(input);
    return port === undefined ? 'unknown' : portInRange(port, range);
  };
}
