import type { KernelCase } from './case.ts';

/**
 * A disagreement that is known and not mended yet; docs/fidelity.md tells its story. Cases that `isIt` fits are left out of the
 * count; a run in which many fit and none disagrees fails, so that the entry goes when it is mended.
 */
export interface KnownDisagreement {
  readonly id: string;
  readonly isIt: (one: KernelCase) => boolean;
}

function has(one: KernelCase, test: (item: KernelCase['items'][number]) => boolean): boolean {
  return one.items.some(test);
}

export const KNOWN: readonly KnownDisagreement[] = [
  {
    id: 'fragments in a tunnel',
    isIt: (one) =>
      has(one, ({ feature }) => feature.startsWith('tunnel ')) &&
      has(one, (item) => 'line' in item && / mtu \d/.test(item.line) && !item.line.includes('vxlan')) &&
      one.packets.some(({ payloadBytes }) => payloadBytes >= 1000),
  },
];
