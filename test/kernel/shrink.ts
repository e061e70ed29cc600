import type { KernelCase } from './case.ts';

/**
 * The smallest part of a case that still shows the same: halves, quarters, single lines and packets are taken away as long
 * as it does (delta debugging, Zeller 2002). A line that others depend on makes the rest fail to set up, and stays.
 */
export async function shrinkCase(
  start: KernelCase,
  stillShows: (one: KernelCase) => Promise<boolean>,
  budget = 400,
): Promise<KernelCase> {
  let best = start;
  let tries = 0;
  const attempt = async (candidate: KernelCase): Promise<boolean> => {
    if (tries++ >= budget || !(await stillShows(candidate))) return false;
    best = candidate;
    return true;
  };
  for (let before = Number.POSITIVE_INFINITY; sizeOf(best) < before && tries < budget; ) {
    before = sizeOf(best);
    await without(
      () => best.packets,
      (packets) => ({ ...best, packets }),
      attempt,
    );
    await without(
      () => best.items,
      (items) => ({ ...best, items }),
      attempt,
    );
    await withoutNamespaces(() => best, attempt);
  }
  return best;
}

function sizeOf(one: KernelCase): number {
  return one.items.length + one.packets.length + one.namespaces.length;
}

async function without<T>(
  listOf: () => readonly T[],
  build: (list: readonly T[]) => KernelCase,
  attempt: (candidate: KernelCase) => Promise<boolean>,
): Promise<void> {
  for (let size = Math.ceil(listOf().length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < listOf().length; ) {
      const list = listOf();
      const rest = [...list.slice(0, at), ...list.slice(at + size)];
      if (rest.length === list.length || !(await attempt(build(rest)))) at += size;
    }
  }
}

async function withoutNamespaces(
  current: () => KernelCase,
  attempt: (candidate: KernelCase) => Promise<boolean>,
): Promise<void> {
  for (const { name } of current().namespaces) {
    const one = current();
    if (one.packets.some((packet) => packet.ns === name)) continue;
    await attempt({
      ...one,
      namespaces: one.namespaces.filter((other) => other.name !== name),
      items: one.items.filter((item) => item.ns !== name && !('line' in item && item.line.includes(`@netns:${name}@`))),
    });
  }
}
