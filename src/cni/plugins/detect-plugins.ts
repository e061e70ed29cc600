import type { Place } from '../../net/place.ts';
import type { Link } from '../../parse/ip-link.ts';
import type { DatapathPart } from '../../simulate/datapath.ts';
import type { Observed } from '../../snapshot/snapshot.ts';
import { type ClusterLook, cniConfiguration } from '../cluster-look.ts';
import { makePart, podOfPlace } from '../cni-finding.ts';

/** Reference plug-ins that connect a pod through the host's own network stack (containernetworking/plugins). */
const THROUGH_HOST = new Set(['bridge', 'ptp']);
/** Those that go past it: what the host's rules say does not bind these pods. */
const PAST_HOST = new Set(['macvlan', 'ipvlan', 'host-device', 'sriov', 'vlan']);

/** The plug-in of each node's CNI configuration, where no CNI was recognised by its agent. */
export function detectPlugins(look: ClusterLook): DatapathPart[] {
  return look.hosts.flatMap((node) => {
    const conf = cniConfiguration(look, node);
    const plugin = conf?.value.network?.plugins[0];
    if (!conf || !plugin || !(THROUGH_HOST.has(plugin.type) || PAST_HOST.has(plugin.type))) return [];
    const past = PAST_HOST.has(plugin.type);
    return [
      makePart({
        role: 'pod-network',
        by: plugin.type,
        modelled: !past,
        node,
        statement: `${conf.value.name} on ${node} connects pods by the plug-in ${plugin.type}${past ? ', past the host’s own network stack' : ''}`,
        sources: [{ ...conf.source, text: conf.value.name }],
      }),
    ];
  });
}

/** Pods whose own device is not a veth: macvlan, ipvlan, or a real interface moved into the pod. */
export function detectPodDevices(look: ClusterLook): DatapathPart[] {
  return look.hosts
    .flatMap((node) => look.snapshot.placesOf(node))
    .flatMap((place) => {
      const pod = podOfPlace(place);
      return pod === undefined ? [] : podDevice(look.snapshot.fact('links', place), place, pod);
    });
}

function podDevice(links: Observed<readonly Link[]>, place: Place, pod: string): DatapathPart[] {
  if (links.state === 'unseen') return [];
  const device = links.value.find((one) => one.name === 'eth0');
  if (device === undefined || device.kind === 'veth' || device.kind === 'bridge') return [];
  const kind = device.kind ?? 'physical';
  return [
    makePart({
      role: 'pod-network',
      by: kind,
      modelled: false,
      node: place.node,
      pod,
      statement: `eth0 of pod ${pod} is a device of kind ${kind}: its packets do not pass the host’s own network stack`,
      sources: [{ ...links.source, text: device.name }],
    }),
  ];
}
