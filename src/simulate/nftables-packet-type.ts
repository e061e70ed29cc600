import { type NftDatum, notKnown, numberOf } from './nftables-datum.ts';
import type { NftScope } from './nftables-state.ts';

const HOST = 0;
const BROADCAST = 1;
const MULTICAST = 2;
const OTHER_HOST = 3;

/** `meta pkttype`: what eth_type_trans made of the frame's destination. A packet of an own socket is PACKET_HOST. */
export function evaluatePacketType(scope: NftScope, what: string): NftDatum {
  const { input, state } = scope;
  const mac = state.packet.macs?.destination;
  const isOutgoing = input.input === undefined && input.hook !== 'ingress';
  if (isOutgoing && (input.socket || input.hook === 'output')) return typed(HOST);
  if (mac === undefined) return byAddress(scope, what);
  if (mac === 'ff:ff:ff:ff:ff:ff') return typed(BROADCAST);
  if ((Number.parseInt(mac.slice(0, 2), 16) & 1) === 1) return typed(MULTICAST);
  if (!input.layer) return typed(HOST);
  return isOutgoing ? notKnown(what) : atFrame(mac, scope, what);
}

function typed(type: number): NftDatum {
  return numberOf('pkt_type', type);
}

/** In a bridge the bridge's own MAC counts as this host's (br_handle_frame), at a device's ingress that device's own. */
function atFrame(mac: string, { input }: NftScope, what: string): NftDatum {
  const { layer } = input;
  const links = input.snapshot.fact('links', input.place);
  if (links.state === 'unseen') return notKnown(what);
  const own = layer?.kind === 'bridge' ? [layer.bridge, input.input] : [input.input];
  return typed(links.value.some((link) => own.includes(link.name) && link.mac === mac) ? HOST : OTHER_HOST);
}

/** Where the frame's MACs are not told: as the address says. */
function byAddress({ input, state }: NftScope, what: string): NftDatum {
  switch (input.addressType(state.packet.ip.destination)) {
    case 'unicast':
    case 'local':
    case 'anycast':
      return input.layer ? notKnown(what) : typed(HOST);
    case 'broadcast':
      return typed(BROADCAST);
    case 'multicast':
      return typed(MULTICAST);
    default:
      return notKnown(what);
  }
}
