import { type Address, familyOf, parseAddress } from '../net/address.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import type { HookInput } from './hook.ts';
import { linkNamed } from './hook-input.ts';
import { maskedValue, numberOf } from './iptables-match-types.ts';
import { DROP, masked, type TargetEvaluator, type TargetOptions } from './iptables-target-types.ts';
import { findListener } from './sockets.ts';
import type { Truth } from './trace.ts';

/**
 * xt_TPROXY.c: the packet is given to the socket that listens on that port (and address), and marked; it comes to it if the
 * route then makes it local. Where none listens, or what listens is not transparent, it is dropped. Of a packet in
 * mid-connection the connected socket takes it, which is not collected; whether a listener is transparent is not to be seen.
 */
export function compileTproxy(options: TargetOptions): TargetEvaluator | undefined {
  const port = numberOf(options.get('on-port')?.[0]);
  const address = parseAddress(options.get('on-ip')?.[0] ?? '');
  const mark = maskedValue(options.get('tproxy-mark')?.[0] ?? '0/0');
  if (port === undefined || !mark) return undefined;
  const to = address === '0.0.0.0' || address === '::' ? undefined : address;
  const given = { kind: 'tproxy', ...(to ? { address: to } : {}), ...(port ? { port } : {}) } as const;
  return (input) => {
    const { protocol } = input.packet.l4;
    if (protocol !== 'tcp' && protocol !== 'udp') return DROP;
    if (listens(input, to, port) === 'no') return DROP;
    const meta = { ...input.meta, mark: masked(input.meta.mark, mark) };
    return { kind: 'either', verdicts: [given, { kind: 'drop' }], meta };
  };
}

/** Of a connection that begins: whether a socket is there for it. */
function listens(input: HookInput, wanted: Address | undefined, port: number): Truth {
  const { l4, ip } = input.packet;
  if (!('sourcePort' in l4) || !begins(input)) return 'unknown';
  const sockets = input.snapshot.fact('sockets', input.place);
  if (sockets.state === 'unseen') return 'unknown';
  const address = wanted ?? ownAddress(input);
  if (address === undefined) {
    const onPort = sockets.value.some(
      (one) => one.protocol === l4.protocol && one.port === (port || l4.destinationPort),
    );
    return onPort || !isComplete(sockets) ? 'unknown' : 'no';
  }
  const packet = {
    ...input.packet,
    ip: { ...ip, destination: address },
    l4: { ...l4, destinationPort: port || l4.destinationPort },
  };
  const match = findListener(sockets.value, packet, input.input);
  if (match.found === 'listener') return match.isSure ? 'yes' : 'unknown';
  return isComplete(sockets) ? 'no' : 'unknown';
}

function begins({ packet: { l4 }, meta, connection }: HookInput): boolean {
  if (l4.protocol === 'udp') return meta.conntrack === 'new' && !connection.reply;
  return 'sourcePort' in l4 && l4.flags?.includes('syn') === true && !l4.flags.includes('ack');
}

/** Without --on-ip: the first address of the device by which the packet came in, else its destination (nf_tproxy_laddr4, _laddr6). */
function ownAddress({ snapshot, place, input: device, family, packet }: HookInput): Address | undefined {
  const link = linkNamed(snapshot, place, device);
  if (!link) return undefined;
  const unfit = family === 4 ? ['secondary'] : ['tentative', 'deprecated'];
  const first = link.addresses.find(
    ({ prefix, flags }) => familyOf(prefix.address) === family && !flags.some((flag) => unfit.includes(flag)),
  );
  return first?.prefix.address ?? packet.ip.destination;
}
