import { type Address, addressToBits } from '../net/address.ts';
import type { IptablesMatch, IptablesOption } from '../parse/iptables-save.ts';
import type { HookInput } from './hook.ts';
import { linkNamed } from './hook-input.ts';
import {
  type Evaluator,
  firstValue,
  guarded,
  type ModuleTable,
  maskedValue,
  perOption,
} from './iptables-match-types.ts';
import { isMulticast } from './routes.ts';
import type { Truth } from './trace.ts';
import { and, not, truth } from './truth.ts';

/** Modules about frames and devices: mac, eui64, pkttype, physdev, devgroup. */
export const LINK_MODULES: ModuleTable = {
  mac: guarded(
    (input) => hasEthernetHeader(input),
    perOption({
      'mac-source': (option) => {
        const wanted = firstValue(option)?.toLowerCase();
        if (wanted === undefined) return undefined;
        return ({ packet }) => (packet.macs ? truth(packet.macs.source === wanted) : 'unknown');
      },
    }),
  ),
  eui64: (match) => (match.options.length > 0 ? undefined : (input) => and(hasEthernetHeader(input), hasEui64(input))),
  pkttype: perOption({
    'pkt-type': (option) => {
      const wanted = firstValue(option);
      if (wanted === undefined || !['unicast', 'broadcast', 'multicast'].includes(wanted)) return undefined;
      return (input) => {
        const type = packetType(input);
        return type === 'unknown' ? 'unknown' : truth(type === wanted);
      };
    },
  }),
  physdev: compilePhysdev,
  devgroup: perOption({
    'src-group': (option) => groupTest(option, (input) => input.input),
    'dst-group': (option) => groupTest(option, (input) => input.output),
  }),
};

/** mac_mt wants a device of ARPHRD_ETHER: nothing of lo, a tunnel or a local socket has a source MAC. */
function hasEthernetHeader(input: HookInput): Truth {
  if (input.input === undefined || input.input === 'lo') return 'no';
  const link = linkNamed(input.snapshot, input.place, input.input);
  return link ? truth(link.type === 'ether') : 'unknown';
}

/** The source's interface identifier made of the frame's MAC, its universal bit turned (ip6t_eui64.c). */
function hasEui64({ packet, family }: HookInput): Truth {
  if (family !== 6) return 'no';
  if (!packet.macs) return 'unknown';
  const bytes = packet.macs.source.split(':').map((byte) => Number.parseInt(byte, 16));
  const identifier = [bytes[0]! ^ 2, bytes[1]!, bytes[2]!, 0xff, 0xfe, bytes[3]!, bytes[4]!, bytes[5]!];
  const wanted = identifier.reduce((bits, byte) => (bits << 8n) | BigInt(byte), 0n);
  return truth((addressToBits(packet.ip.source) & 0xffff_ffff_ffff_ffffn) === wanted);
}

/**
 * skb->pkt_type as eth_type_trans put it by the frame's destination. What a local socket sends, and what is forwarded, has
 * PACKET_HOST, be it sent to a group or not (xt_pkttype.c).
 */
function packetType(input: HookInput): 'unicast' | 'broadcast' | 'multicast' | 'unknown' {
  const { packet } = input;
  const isReceived = input.input !== undefined || input.physicalInput !== undefined;
  if (!isReceived) return 'unicast';
  const kind = destinationKind(input, packet.ip.destination);
  if (input.input === 'lo') return kind === 'unicast' ? 'unicast' : 'unknown';
  const mac = packet.macs?.destination;
  if (mac === undefined) return kind;
  if (mac === 'ff:ff:ff:ff:ff:ff') return 'broadcast';
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 ? 'multicast' : 'unicast';
}

function destinationKind(input: HookInput, destination: Address): ReturnType<typeof packetType> {
  if (isMulticast(destination)) return 'multicast';
  if (input.family === 6) return 'unicast';
  const type = input.addressType(destination);
  return type === 'unknown' ? 'unknown' : type === 'broadcast' ? 'broadcast' : 'unicast';
}

/**
 * Bridge ports (physdev_mt). A packet that no bridge handed to IP's hooks matches where every option is negated. One that
 * did has a port of entry; `--physdev-out` then matches nothing, negated or not, before the port of exit is known.
 */
function compilePhysdev(match: IptablesMatch): Evaluator | undefined {
  const tests = match.options.map((option) => physdevTest(option));
  if (!tests.every((test) => test !== undefined)) return undefined;
  return (input) => {
    if (input.physicalInput === undefined && input.physicalOutput === undefined) {
      return truth(match.options.every((option) => option.negated));
    }
    return and('yes', ...tests.map((test) => test(input)));
  };
}

/** One option, its `!` included, on a packet that a bridge handed to IP's hooks. */
function physdevTest(option: IptablesOption): ((input: HookInput) => Truth) | undefined {
  const name = firstValue(option);
  const turned = (value: Truth): Truth => (option.negated ? not(value) : value);
  switch (option.name) {
    case 'physdev-is-in':
      return (input) => turned(truth(input.physicalInput !== undefined));
    case 'physdev-is-out':
    case 'physdev-is-bridged':
      return (input) => turned(truth(input.physicalOutput !== undefined));
    case 'physdev-in':
      if (name === undefined) return undefined;
      return ({ physicalInput: port }) => (port === undefined ? 'yes' : turned(truth(isNamed(port, name))));
    case 'physdev-out':
      if (name === undefined) return undefined;
      return ({ physicalOutput: port }) => (port === undefined ? 'no' : turned(truth(isNamed(port, name))));
    default:
      return undefined;
  }
}

function isNamed(port: string, name: string): boolean {
  return name.endsWith('+') ? port.startsWith(name.slice(0, -1)) : port === name;
}

/** `default` is group 0; other names are of the machine's own /etc/iproute2/group. */
function groupTest(
  option: IptablesOption,
  pick: (input: HookInput) => string | undefined,
): ((input: HookInput) => Truth) | undefined {
  const text = firstValue(option);
  const named = /^[^\d]/.test(text ?? '') ? text : undefined;
  const wanted = named === 'default' ? { value: 0, mask: 0xffff_ffff } : maskedValue(text);
  if (!wanted && named === undefined) return undefined;
  return (input) => {
    const link = linkNamed(input.snapshot, input.place, pick(input));
    if (!link) return 'unknown';
    const group = link.group ?? '0';
    if (!wanted) return /^\d+$/.test(group) ? 'unknown' : truth(group === named);
    const number = maskedValue(group)?.value;
    return number === undefined ? 'unknown' : truth((number & wanted.mask) >>> 0 === wanted.value);
  };
}
