import { addressToBits, familyOf } from '../net/address.ts';
import type { DropFilter, DropTerm } from './drop-term.ts';

/** Bounds that the program keeps by itself, in the kernel. */
export interface DropBounds {
  readonly seconds: number;
  /** Events of the flow. */
  readonly events: number;
}

export interface DropKernel {
  readonly isLittleEndian: boolean;
  /** The tracepoint tells the receiving socket (since Linux 6.11). */
  readonly hasReceiver: boolean;
}

/** Drops a second of the whole machine from which on watching them costs too much. */
export const DROP_RATE_MAX = 50_000;

/**
 * The program for bpftrace(8): at tracepoint skb:kfree_skb (net/core/drop_monitor.c, trace/events/skb.h) it looks whether the
 * dropped packet is one of the flow, by itself, inside VXLAN (RFC 7348) or IP in IP (RFC 2003), or quoted by an ICMP error, and
 * says where: a line `D …` of numbers for each, which parseDropEvents reads. It says `W` once it watches, and `X …` why it ended.
 * Of an skb only fields are read that are the same since Linux 5.17: head, network_header, dev, skb_iif, sk, _skb_refdst.
 */
export function dropProgram(filter: DropFilter, { seconds, events }: DropBounds, kernel: DropKernel): string {
  const order = orderOf(kernel);
  return `
tracepoint:skb:kfree_skb
{
  @all++;
  $skb = (struct sk_buff *)args->skbaddr;
  $p = (uint64)$skb->head + $skb->network_header;
  $hit = 0; $turned = 0; $inside = 0; $q = (uint64)0; $a = (uint16)0; $b = (uint16)0;
  $version = *(uint8 *)$p >> 4;
  $next = (uint8)0; $l4 = (uint64)0;
  if ($version == 4) { $next = *(uint8 *)($p + 9); $l4 = $p + (*(uint8 *)$p & 15) * 4; }
  if ($version == 6) { $next = *(uint8 *)($p + 6); $l4 = $p + 40; }
${matches(filter.terms, '$p', 0, order)}
  if ($hit == 0) {
    if ($next == 17 && (${filter.vxlanPorts.map((port) => `*(uint16 *)(kptr($l4) + 2) == ${order.half(port)}`).join(' || ') || '0'})) { $q = $l4 + 30; $inside = 1; }
    if ($next == 4 || $next == 41) { $q = $l4; $inside = 1; }
    if ($next == 1 && *(uint8 *)kptr($l4) != 0 && *(uint8 *)kptr($l4) != 8) { $q = $l4 + 8; $inside = 2; }
    if ($next == 58 && *(uint8 *)kptr($l4) < 128) { $q = $l4 + 8; $inside = 2; }
    if ($q != 0) {
${matches(filter.terms, 'kptr($q)', 1, order)}
    }
  }
  if ($hit != 0) {
    @n++;
    $dev = $skb->dev;
    $dst = (struct dst_entry *)($skb->_skb_refdst & ~(uint64)1);
    printf("D %llu %d %d %d %d %d %d %u %u %u %u %d %d %s %d %s %s\\n",
      nsecs, $hit - 1, $turned, $inside, ${order.host('$a')}, ${order.host('$b')}, args->reason,
      ${kernel.hasReceiver ? '((struct sock *)args->rx_sk)->__sk_common.skc_net.net->ns.inum' : '0'},
      $dev->nd_net.net->ns.inum, $dst->dev->nd_net.net->ns.inum, $skb->sk->__sk_common.skc_net.net->ns.inum,
      $skb->skb_iif, $dev->ifindex, $dev->name, $dst->dev->ifindex, $dst->dev->name, ksym(args->location));
    if (@n >= ${events}) { printf("X events\\n"); exit(); }
  }
}
interval:ms:20 /@ready == 0/ { @ready = 1; printf("W\\n"); }
interval:s:1 { if (@all > ${DROP_RATE_MAX}) { printf("X rate\\n"); exit(); } @all = 0; }
interval:s:${seconds} { printf("X time\\n"); exit(); }
END { clear(@all); clear(@n); clear(@ready); }
`;
}

/** How a number of a packet, which is in network order, looks when the kernel loads it. */
interface Order {
  readonly half: (value: number) => string;
  readonly word: (value: number) => string;
  /** A 16-bit field that was loaded, as a number. */
  readonly host: (field: string) => string;
  /** Bits of the fragment's offset, RFC 791. */
  readonly fragmentBits: string;
}

function orderOf({ isLittleEndian }: DropKernel): Order {
  const half = (value: number): number => (isLittleEndian ? ((value & 0xff) << 8) | (value >> 8) : value);
  const word = (value: number): number =>
    isLittleEndian ? ((half(value & 0xffff) << 16) | half(value >>> 16)) >>> 0 : value;
  return {
    half: (value) => String(half(value)),
    host: (field) => (isLittleEndian ? `((${field} & 255) << 8) | (${field} >> 8)` : field),
    word: (value) => `0x${word(value).toString(16)}`,
    fragmentBits: `0x${half(0x1fff).toString(16)}`,
  };
}

/** Sets $hit to a term's number, from 1 on, where the packet at `at` is of it. */
function matches(terms: readonly DropTerm[], at: string, depth: number, order: Order): string {
  return ([4, 6] as const)
    .map((family) => {
      const own = terms.map((term, index) => ({ term, index })).filter(({ term }) => familyOf(term.source) === family);
      if (own.length === 0) return '';
      const start = family === 4 ? 20 : 40;
      const tests = own.flatMap(({ term, index }) =>
        [false, true].map(
          (isTurned) =>
            `    if ($hit == 0 && ${addresses(term, isTurned, at, order)} && (${ports(term, isTurned, order)})) { $hit = ${index + 1}; $turned = ${isTurned ? 1 : 0}; }`,
        ),
      );
      const fragment =
        family === 4
          ? `$f = *(uint16 *)(${at} + 6) & ${order.fragmentBits};`
          : `$f = *(uint8 *)(${at} + 6) == 44 ? 1 : 0;`;
      return `  if ((*(uint8 *)${at} >> 4) == ${family}) {
    ${fragment} $a = *(uint16 *)(${at} + ${start}); $b = *(uint16 *)(${at} + ${start + 2});
${tests.join('\n')}
  }`;
    })
    .filter((part) => part !== '')
    .map((part) => (depth === 0 ? part : part.replaceAll(/^/gm, '    ')))
    .join('\n');
}

function addresses({ source, destination, protocol }: DropTerm, isTurned: boolean, at: string, order: Order): string {
  const [from, to] = isTurned ? [destination, source] : [source, destination];
  const family = familyOf(source);
  const [nextAt, fromAt, toAt] = family === 4 ? [9, 12, 16] : [6, 8, 24];
  const words = (address: typeof source, offset: number): string =>
    wordsOfAddress(address, family)
      .map((word, index) => `*(uint32 *)(${at} + ${offset + 4 * index}) == ${order.word(word)}`)
      .join(' && ');
  const next = `*(uint8 *)(${at} + ${nextAt}) == ${protocol}`;
  return `${words(from, fromAt)} && ${words(to, toAt)} && (${family === 4 ? next : `($f != 0 || ${next})`})`;
}

/** Later fragments have no ports. */
function ports({ sourcePort, destinationPort }: DropTerm, isTurned: boolean, order: Order): string {
  const [from, to] = isTurned ? [destinationPort, sourcePort] : [sourcePort, destinationPort];
  const tests = [
    ...(from === 0 ? [] : [`$a == ${order.half(from)}`]),
    ...(to === 0 ? [] : [`$b == ${order.half(to)}`]),
  ];
  return tests.length === 0 ? '1' : `$f != 0 || (${tests.join(' && ')})`;
}

function wordsOfAddress(address: DropTerm['source'], family: 4 | 6): number[] {
  const bits = addressToBits(address);
  return family === 4 ? [Number(bits)] : [96n, 64n, 32n, 0n].map((shift) => Number((bits >> shift) & 0xffff_ffffn));
}
