import { type Address, addressToBits } from '../net/address.ts';
import type { Packet } from '../net/packet.ts';
import type { IptablesMatch } from '../parse/iptables-save.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import type { HookInput } from './hook.ts';
import { linkNamed } from './hook-input.ts';
import { type Evaluator, firstValue, perOption, type TruthEvaluator } from './iptables-match-types.ts';
import { isDiscarding } from './refusal.ts';
import { lookupRoute } from './routes.ts';
import type { Truth } from './trace.ts';
import { and, or, truth } from './truth.ts';

/** RTN_* as libxt_addrtype names them. */
const ADDRESS_TYPES = new Set([
  'unspec',
  'unicast',
  'local',
  'broadcast',
  'anycast',
  'multicast',
  'blackhole',
  'unreachable',
  'prohibit',
  'throw',
  'nat',
  'xresolve',
]);

/**
 * `-m addrtype` (net/netfilter/xt_addrtype.c). IPv4: the type by the local table is one of those named. IPv6: the kinds
 * of address that are named must all hold, and of local, anycast and unreachable one.
 */
export function compileAddrtype(match: IptablesMatch): Evaluator | undefined {
  const onInput = match.options.some((option) => option.name === 'limit-iface-in');
  const onOutput = match.options.some((option) => option.name === 'limit-iface-out');
  const deviceOf = (input: HookInput): string | undefined =>
    onInput ? input.input : onOutput ? input.output : undefined;
  const typeTest = (text: string | undefined, pick: (packet: Packet) => Address): TruthEvaluator | undefined => {
    const types = new Set((text ?? '').split(',').map((type) => type.toLowerCase()));
    if ([...types].some((type) => !ADDRESS_TYPES.has(type))) return undefined;
    return (input) => {
      const address = pick(input.packet);
      return input.family === 4
        ? hasType4(input, address, types, deviceOf(input))
        : hasType6(input, address, types, deviceOf(input));
    };
  };
  return perOption({
    'src-type': (option) => typeTest(firstValue(option), (packet) => packet.ip.source),
    'dst-type': (option) => typeTest(firstValue(option), (packet) => packet.ip.destination),
    'limit-iface-in': () => () => 'yes',
    'limit-iface-out': () => () => 'yes',
  })(match);
}

function hasType4(input: HookInput, address: Address, types: ReadonlySet<string>, device: string | undefined): Truth {
  const type = input.addressType(address, device);
  return type === 'unknown' ? 'unknown' : truth(types.has(type));
}

function hasType6(input: HookInput, address: Address, types: ReadonlySet<string>, device: string | undefined): Truth {
  const isMulticast = address.startsWith('ff');
  if (types.has('multicast') && !isMulticast) return 'no';
  if (types.has('unicast') && !isUnicast6(address)) return 'no';
  if (types.has('unspec') && address !== '::') return 'no';
  const asked = ['local', 'anycast'].filter((type) => types.has(type));
  if (asked.length === 0 && !types.has('unreachable')) return 'yes';
  const type = asked.length === 0 ? undefined : input.addressType(address, device);
  const isOnDevice = device !== undefined && types.has('local') ? hasAddress(input, device, address) : 'no';
  const others = device === undefined ? asked : asked.filter((one) => one !== 'local');
  const byRoute = type === undefined ? 'no' : type === 'unknown' ? 'unknown' : truth(others.includes(type));
  const own: Truth = others.length === 0 ? isOnDevice : or(isOnDevice, byRoute);
  return types.has('unreachable') ? or(own, isUnreachable6(input, address, device)) : own;
}

/** With a device `local` is an address of that one, whatever route stands for it (nf_ipv6_chk_addr). */
function hasAddress({ snapshot, place }: HookInput, device: string, address: Address): Truth {
  const links = snapshot.fact('links', place);
  const link = linkNamed(snapshot, place, device);
  if (!link) return isComplete(links) ? 'no' : 'unknown';
  return truth(link.addresses.some(({ prefix }) => prefix.address === address));
}

/** `__ipv6_addr_type`: all but multicast, `::` and the IPv4-mapped ones are unicast. */
function isUnicast6(address: Address): boolean {
  const bits = addressToBits(address);
  return !address.startsWith('ff') && bits !== 0n && bits >> 32n !== 0xffffn;
}

/** match_lookup_rt6: no route, or one that refuses. */
function isUnreachable6(input: HookInput, address: Address, device: string | undefined): Truth {
  const lookup = lookupRoute(input.snapshot, input.place, {
    destination: address,
    tos: 0,
    mark: 0,
    user: 0,
    ...(device === undefined ? {} : { output: device }),
  });
  if (lookup.state === 'unseen') return 'unknown';
  const answers = lookup.ways.map(({ found, doubt }): Truth => {
    const refuses = ['none', 'unreachable', 'prohibit', 'blackhole'].includes(found.type) || isDiscarding(found);
    return doubt === undefined ? truth(refuses) : 'unknown';
  });
  const all = and(...answers);
  return all === 'no' && answers.includes('yes') ? 'unknown' : all;
}
