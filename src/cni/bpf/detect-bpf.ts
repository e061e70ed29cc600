import type { Place } from '../../net/place.ts';
import type { DatapathPart } from '../../simulate/datapath.ts';
import type { Source } from '../../snapshot/snapshot.ts';
import type { ClusterLook } from '../cluster-look.ts';
import { makePart, podOfPlace } from '../cni-finding.ts';

/** Whose programs these are, by the names that their authors gave them. */
const AUTHORS: readonly (readonly [name: RegExp, by: string])[] = [
  [/^(cil_|from-container|to-container|from-netdev|to-netdev|bpf_(lxc|host|overlay|netdev))/, 'cilium'],
  [/^cali_/, 'calico'],
  [/^handle_(ingress|egress)/, 'aws-network-policy-agent'],
];

/**
 * Network namespaces in which a BPF program sits on a device (XDP, or a tc filter of kind bpf): it may pass, change,
 * redirect or drop any packet, and none is walked. Programs attached by tcx links or to cgroups do not show in `tc` and
 * `ip`; that none is listed proves no absence.
 */
export function detectBpf(look: ClusterLook): DatapathPart[] {
  return look.hosts.flatMap((node) => look.snapshot.placesOf(node)).flatMap((place) => bpfAt(look, place));
}

interface Program {
  readonly what: string;
  readonly by: string;
  readonly source: Source;
}

function bpfAt(look: ClusterLook, place: Place): DatapathPart[] {
  const programs = [...xdpPrograms(look, place), ...tcPrograms(look, place)];
  const [first] = programs;
  if (first === undefined) return [];
  const more = programs.length > 1 ? ` and ${programs.length - 1} more` : '';
  const known = programs.find((one) => one.by !== 'unknown')?.by ?? 'unknown';
  return [
    makePart({
      role: 'pod-network',
      by: known,
      mode: 'ebpf',
      modelled: false,
      node: place.node,
      pod: podOfPlace(place),
      statement: `${first.what}${more}: what the program does with a packet is not known`,
      sources: programs.map((one) => one.source),
    }),
  ];
}

function xdpPrograms(look: ClusterLook, place: Place): Program[] {
  const links = look.snapshot.fact('links', place);
  if (links.state === 'unseen') return [];
  return links.value
    .filter((one) => one.xdp !== undefined)
    .map((one) => ({
      what: `XDP program ${one.xdp} on ${one.name}`,
      by: authorOf(one.xdp!),
      source: { ...links.source, text: one.name },
    }));
}

function tcPrograms(look: ClusterLook, place: Place): Program[] {
  const filters = look.snapshot.fact('tc-filters', place);
  if (filters.state === 'unseen') return [];
  return filters.value
    .filter((one) => one.kind === 'bpf')
    .map((one) => ({
      what: `tc BPF program ${one.name || '(without a name)'} at ${one.direction} of ${one.device}`,
      by: authorOf(one.name),
      source: { ...filters.source, text: `${one.device} ${one.direction} ${one.kind} ${one.name}`.trim() },
    }));
}

function authorOf(name: string): string {
  return AUTHORS.find(([pattern]) => pattern.test(name))?.[1] ?? 'unknown';
}
