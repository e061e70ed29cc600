import type { Metadata } from '../snapshot/objects.ts';
import type { Observed, Snapshot } from '../snapshot/snapshot.ts';
import { isComplete } from '../snapshot/snapshot.ts';
import { clusterList, seenItems } from './cluster-list.ts';
import { nearNames } from './near-names.ts';
import type { TargetProblem } from './question.ts';
import { noAccess, notFound } from './target-problem.ts';

interface Named {
  readonly metadata: Metadata;
}

/** One namespaced object by name, or a problem that tells where its like is. `type` is the user's word: pod, svc, deploy. */
export function findObject<T extends Named>(
  snapshot: Snapshot,
  list: Observed<readonly T[]>,
  type: string,
  namespace: string,
  name: string,
): T | TargetProblem {
  if (list.state === 'unseen') return noAccess(`${plural(type)} of namespace ${namespace}`, list);
  const items = list.value;
  const found = items.find((one) => namespaceOf(one) === namespace && one.metadata.name === name);
  if (found) return found;
  const unknown = unknownNamespace(snapshot, type, namespace, name, items);
  if (unknown) return unknown;
  const elsewhere = items.filter((one) => one.metadata.name === name).map((one) => namespaceOf(one));
  const here = items.filter((one) => namespaceOf(one) === namespace).map((one) => one.metadata.name);
  const near = [
    ...elsewhere.map((where) => `${type}/${where}/${name}`),
    ...nearNames(name, here).map((one) => `${type}/${namespace}/${one}`),
  ];
  const hint = elsewhere.length > 0 ? `; there is ${near[0]} in namespace ${elsewhere[0]}` : '';
  const part = isComplete(list) ? '' : ' (the list that was read is not complete)';
  return notFound(`there is no ${type} ${name} in namespace ${namespace}${hint}${part}`, near.slice(0, 5));
}

function unknownNamespace(
  snapshot: Snapshot,
  type: string,
  namespace: string,
  name: string,
  items: readonly Named[],
): TargetProblem | undefined {
  const namespaces = clusterList(snapshot, 'api.namespaces');
  // A namespace without such objects may well exist: only the whole list of namespaces can deny one.
  if (!isComplete(namespaces)) return undefined;
  const names = namespaces.value.map((one) => one.metadata.name);
  if (names.includes(namespace)) return undefined;
  const holders = items.filter((one) => one.metadata.name === name).map(namespaceOf);
  const near = [...new Set([...holders, ...nearNames(namespace, names)])];
  return notFound(
    `there is no namespace ${namespace}`,
    near.map((one) => `${type}/${one}/${name}`),
  );
}

/** A node by its name or, as the API lists it, its hostname. */
export function findNode(snapshot: Snapshot, name: string) {
  const nodes = clusterList(snapshot, 'api.nodes');
  if (nodes.state === 'unseen') return noAccess('nodes', nodes);
  const found =
    nodes.value.find((one) => one.metadata.name === name) ??
    nodes.value.find((one) => one.status.addresses?.some((it) => it.type === 'Hostname' && it.address === name));
  if (found) return found;
  const near = nearNames(
    name,
    nodes.value.map((one) => one.metadata.name),
  );
  return notFound(
    `there is no node ${name}`,
    near.map((one) => `node/${one}`),
  );
}

/** Words that name a pod, workload, Service or node of exactly this name, to suggest. */
export function wordsFor(snapshot: Snapshot, name: string): string[] {
  const words: string[] = [];
  const lists = [
    ['pod', 'api.pods'],
    ['deploy', 'api.deployments'],
    ['ds', 'api.daemonsets'],
    ['svc', 'api.services'],
  ] as const;
  for (const [type, fact] of lists) {
    for (const one of seenItems<Named>(clusterList(snapshot, fact))) {
      if (one.metadata.name === name) words.push(`${type}/${namespaceOf(one)}/${name}`);
    }
  }
  const nodes = seenItems(clusterList(snapshot, 'api.nodes'));
  return nodes.some((one) => one.metadata.name === name) ? [...words, `node/${name}`] : words;
}

function namespaceOf(one: Named): string {
  return one.metadata.namespace ?? 'default';
}

function plural(type: string): string {
  const names: Readonly<Record<string, string>> = { svc: 'services', deploy: 'deployments', ds: 'daemonsets' };
  return names[type] ?? `${type}s`;
}
