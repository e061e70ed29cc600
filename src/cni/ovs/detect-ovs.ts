import { hostOf } from '../../net/place.ts';
import type { DatapathPart } from '../../simulate/datapath.ts';
import type { ClusterLook } from '../cluster-look.ts';
import { makePart } from '../cni-finding.ts';

/** Nodes with Open vSwitch devices of which no known CNI speaks: what its flows do with a packet is not known. */
export function detectOvs(look: ClusterLook, found: readonly DatapathPart[]): DatapathPart[] {
  if (found.some((part) => part.mode === 'ovs')) return [];
  return look.hosts.flatMap((node) => {
    const links = look.snapshot.fact('links', hostOf(node));
    if (links.state === 'unseen') return [];
    const device = links.value.find((one) => one.kind === 'openvswitch');
    if (device === undefined) return [];
    return [
      makePart({
        role: 'pod-network',
        by: 'unknown',
        mode: 'ovs',
        modelled: false,
        node,
        statement: `${node} has the Open vSwitch device ${device.name}, whose flows are not walked`,
        sources: [{ ...links.source, text: device.name }],
      }),
    ];
  });
}
