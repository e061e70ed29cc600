import type { Ask } from '../../diagnose/cause.ts';
import type { Place } from '../../net/place.ts';
import type { Sysctls } from '../../parse/sysctls.ts';
import type { Pod } from '../../snapshot/objects.ts';
import type { Seen } from '../../snapshot/snapshot.ts';
import type { Question } from '../../target/question.ts';

export interface MayNotPing {
  readonly place: Place;
  readonly container: string;
  readonly range: string;
  readonly sysctls: Seen<Sysctls>;
}

/**
 * Whether the source pod's own processes may not ping, though podtriage, with its own rights, may: a container that
 * drops NET_RAW and whose group is outside `net.ipv4.ping_group_range` (icmp(7)). What the runtime grants where the pod
 * says nothing is not guessed.
 */
export function mayNotPing(question: Question, pods: readonly Pod[], ask: Ask<'sysctls'>): MayNotPing | undefined {
  const { source } = question;
  if (source.kind !== 'pod' || !source.place) return undefined;
  const pod = pods.find((one) => one.metadata.namespace === source.namespace && one.metadata.name === source.name);
  const container = pod?.spec.containers.find((one) => source.container === undefined || one.name === source.container);
  if (!container || !dropsNetRaw(container.securityContext)) return undefined;
  const sysctls = ask('sysctls', source.place);
  if (sysctls.state === 'unseen') return undefined;
  const range = sysctls.value['net.ipv4.ping_group_range'] ?? '';
  const limits = /^(?<from>\d+)\s+(?<to>\d+)$/.exec(range.trim())?.groups;
  const group = Number(container.securityContext?.['runAsGroup'] ?? 0);
  if (!limits || (group >= Number(limits['from']) && group <= Number(limits['to']))) return undefined;
  return { place: source.place, container: container.name, range: range.trim().replace(/\s+/, ' '), sysctls };
}

function dropsNetRaw(context: Readonly<Record<string, unknown>> | undefined): boolean {
  const { add, drop } = (context?.['capabilities'] ?? {}) as { add?: readonly string[]; drop?: readonly string[] };
  const has = (list: readonly string[] | undefined): boolean =>
    (list ?? []).some((name) => ['ALL', 'NET_RAW'].includes(name.replace(/^CAP_/, '').toUpperCase()));
  return has(drop) && !has(add);
}
