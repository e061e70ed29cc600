import type { Request } from '../host/host.ts';
import { type Address, familyOf, parseAddress } from '../net/address.ts';
import { CLUSTER, type Place, podPlace } from '../net/place.ts';
import { parseCorefile } from '../parse/corefile.ts';
import { type ForwardTarget, forwardTargets } from '../probe/forward-targets.ts';
import type { Pod } from '../snapshot/objects.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';

/** Where one DNS pod sends a name on, and the facts that telling it lacks. */
export interface DnsUpstreams {
  /** The DNS pod's own network namespace, from which it asks. */
  readonly from?: Place;
  readonly source?: Address;
  readonly servers: readonly { readonly address: Address; readonly port: number }[];
  /** Why they, or some of them, are not known. */
  readonly because?: string;
  readonly wants: readonly Request[];
}

const DNS_PORT = 53;

/** The servers that this pod of the cluster's DNS forwards a name to: its Corefile's, and its own resolv.conf's. */
export function dnsUpstreams(snapshot: Snapshot, pod: Pod, name: string): DnsUpstreams {
  const { nodeName } = pod.spec;
  const namespace = pod.metadata.namespace ?? 'default';
  const source = parseAddress(pod.status.podIP ?? '');
  if (!nodeName || !source) return { servers: [], because: 'the pod runs on no node', wants: [] };
  const from = podPlace(nodeName, namespace, pod.metadata.name);
  const maps = snapshot.fact('api.configmaps', CLUSTER, { namespace });
  const file = snapshot.fact('resolv-conf', from);
  const wants = [maps, file].flatMap((one) => (one.state === 'unseen' && one.gap === 'not-asked' ? [one.want] : []));
  if (maps.state === 'unseen' || file.state === 'unseen') {
    const unseen = maps.state === 'unseen' ? maps.detail : file.state === 'unseen' ? file.detail : '';
    return { from, source, servers: [], because: unseen, wants };
  }
  const corefiles = maps.value.filter((map) => map.data?.['Corefile'] !== undefined);
  // Beside CoreDNS's own may stand that of a NodeLocal DNSCache.
  const own =
    corefiles.find(({ metadata }) => metadata.name === 'coredns') ??
    (corefiles.length === 1 ? corefiles[0] : undefined);
  if (own === undefined) {
    const because = `which ConfigMap of ${namespace} is its Corefile is not known`;
    return { from, source, servers: [], because, wants: [] };
  }
  const targets = forwardTargets(parseCorefile(own.data?.['Corefile'] ?? '').value, name);
  const servers = targets.flatMap((target) => serversOf(target, file.value.nameservers));
  const other = targets.flatMap((target) => (target.kind === 'other' ? [target.text] : []));
  return {
    ...{ from, source, wants: [] },
    servers: [...new Map(servers.map((one) => [`${one.address} ${one.port}`, one])).values()].filter(
      ({ address }) => familyOf(address) === familyOf(source),
    ),
    ...(other.length > 0 && { because: `${other.join(', ')} is not asked in the clear` }),
  };
}

function serversOf(target: ForwardTarget, nameservers: readonly Address[]): DnsUpstreams['servers'] {
  if (target.kind === 'server') return [target];
  return target.kind === 'file' ? nameservers.map((address) => ({ address, port: DNS_PORT })) : [];
}
