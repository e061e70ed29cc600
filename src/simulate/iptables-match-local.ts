import type { Packet } from '../net/packet.ts';
import type { IptablesMatch, IptablesOption } from '../parse/iptables-save.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import type { HookInput } from './hook.ts';
import {
  type Evaluator,
  firstValue,
  guarded,
  type ModuleTable,
  numberOf,
  undecidable,
} from './iptables-match-types.ts';
import { findListener } from './sockets.ts';
import type { Truth } from './trace.ts';
import { and, not, truth } from './truth.ts';

/** Modules about the local socket that sends or will receive: owner, cgroup, socket. */
export const LOCAL_MODULES: ModuleTable = {
  owner: compileOwner,
  // cgroup_mt: without a full socket no match, negated or not; whose it is is not collected.
  cgroup: guarded(mayHaveSocket, undecidable('cgroup', 'path')),
  socket: compileSocket,
};

/**
 * A forwarded packet has none. Before routing none is found yet (but by a program's own doing), at input early demux may
 * have found one.
 */
function mayHaveSocket(input: HookInput): Truth {
  if (input.hook === 'input') return 'unknown';
  if (!isSentHere(input)) return 'no';
  return isHandshakeAnswer(input.packet) ? 'no' : 'yes';
}

function isSentHere(input: HookInput): boolean {
  return input.socket !== undefined && (input.hook === 'output' || input.hook === 'postrouting');
}

/** A SYN-ACK is sent by a request socket. */
function isHandshakeAnswer({ l4 }: Packet): boolean {
  return 'sourcePort' in l4 && l4.flags !== undefined && l4.flags.includes('syn') && l4.flags.includes('ack');
}

const ICMP_REQUESTS = new Set([8, 13, 15, 17, 128]);

/** ICMP errors and answers, and resets: sent by the kernel, whose sockets have no file and so no owner. */
function isKernels({ l4 }: Packet): boolean {
  if ('type' in l4) return !ICMP_REQUESTS.has(l4.type);
  return 'sourcePort' in l4 && (l4.flags?.includes('rst') ?? false);
}

/**
 * `-m owner` (owner_mt in xt_owner.c). Without a socket a rule matches whose tests are all negated; with one that has no
 * file its `--socket-exists` is true and no owner is found. The owner of a socket of ours is known where the walk was told.
 */
function compileOwner(match: IptablesMatch): Evaluator | undefined {
  const asked = match.options.filter((option) => option.name !== 'suppl-groups');
  const supplementary = asked.length < match.options.length;
  const tests = asked.map((option) => ownerTest(option, supplementary));
  if (!tests.every((test) => test !== undefined)) return undefined;
  return (input) => {
    if (!isSentHere(input)) return truth(asked.every((option) => option.negated));
    return and('yes', ...tests.map((test) => test(input)));
  };
}

/** One option, its `!` included, on a packet of this host's own. */
function ownerTest(option: IptablesOption, supplementary: boolean): ((input: HookInput) => Truth) | undefined {
  const turned = (value: Truth): Truth => (option.negated ? not(value) : value);
  // A reset is the stack's, with a socket of the kernel's, or REJECT's, without any.
  if (option.name === 'socket-exists') {
    return ({ packet }) => ('sourcePort' in packet.l4 && isKernels(packet) ? 'unknown' : turned('yes'));
  }
  const range = /^(?<from>\d+)(?:-(?<to>\d+))?$/.exec(firstValue(option) ?? '')?.groups;
  const from = numberOf(range?.from);
  if (from === undefined || (option.name !== 'uid-owner' && option.name !== 'gid-owner')) return undefined;
  const to = numberOf(range?.to) ?? from;
  return (input) => {
    if (isKernels(input.packet)) return turned('no');
    const id = option.name === 'uid-owner' ? input.socket!.uid : input.socket!.gid;
    if (id === undefined) return 'unknown';
    if (id >= from && id <= to) return turned('yes');
    return option.name === 'gid-owner' && supplementary ? 'unknown' : turned('no');
  };
}

/**
 * `-m socket` (xt_socket.c): a connection's socket, or a listener that is bound to an address of its own, or with
 * --nowildcard to any. Of a connection's first packet the listeners tell it; that a socket is transparent they don't say.
 */
function compileSocket(match: IptablesMatch): Evaluator | undefined {
  const flags = new Set(match.options.map((option) => option.name));
  if ([...flags].some((name) => !['transparent', 'nowildcard', 'restore-skmark'].includes(name))) return undefined;
  if (match.options.some((option) => option.negated)) return undefined;
  return (input) => {
    const found = boundSocket(input, flags.has('nowildcard'));
    // A mark that the socket would give to the packet is not known either.
    const isOpen = flags.has('transparent') || flags.has('restore-skmark');
    return found === 'yes' && isOpen ? 'unknown' : found;
  };
}

function boundSocket(input: HookInput, acceptsWildcard: boolean): Truth {
  const { packet } = input;
  if ('about' in packet.l4 && packet.l4.about) return 'unknown';
  if (packet.l4.protocol !== 'tcp' && packet.l4.protocol !== 'udp') return 'no';
  if ((packet.ip.fragmentOffset ?? 0) > 0 || !beginsConnection(input)) return 'unknown';
  const sockets = input.snapshot.fact('sockets', input.place);
  if (sockets.state === 'unseen') return 'unknown';
  const listener = findListener(sockets.value, packet, input.input);
  if (listener.found === 'none') return isComplete(sockets) ? 'no' : 'unknown';
  if (!listener.isSure) return 'unknown';
  const { address } = listener.socket;
  const isWildcard = address === undefined || address === '0.0.0.0' || address === '::';
  return truth(!isWildcard || acceptsWildcard);
}

/** Of a packet in mid-connection the connected sockets would have to be known, which are not collected. */
function beginsConnection({ packet: { l4 }, meta, connection }: HookInput): boolean {
  if (l4.protocol === 'tcp' && 'sourcePort' in l4) {
    return l4.flags?.includes('syn') === true && !l4.flags.includes('ack');
  }
  return meta.conntrack === 'new' && !connection.reply;
}
