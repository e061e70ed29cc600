import type { Family } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import type { Link } from '../parse/ip-link.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import { readSysctl, switchedOn } from './sysctl.ts';
import type { Truth } from './trace.ts';
import { and } from './truth.ts';

/**
 * Whether the IP hooks see what this bridge forwards: by the namespace's setting or the bridge's own (br_nf_pre_routing in
 * br_netfilter_hooks.c). Without the module neither does anything. A frame with a VLAN tag needs a setting of its own.
 */
export function netfilterCalled(
  snapshot: Snapshot,
  place: Place,
  master: Link,
  family: Family,
  isTagged: boolean,
): Truth {
  const read = (name: string) => readSysctl(snapshot, place, `net.bridge.bridge-nf-${name}`);
  const own = family === 4 ? master.bridge?.nfCallIptables : master.bridge?.nfCallIp6tables;
  const general = read(family === 4 ? 'call-iptables' : 'call-ip6tables');
  const isCalled = own && general.state !== 'absent' ? 'yes' : switchedOn(general);
  return isTagged ? and(isCalled, switchedOn(read('filter-vlan-tagged'))) : isCalled;
}
