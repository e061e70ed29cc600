import type { KernelDrop, NodeDrops } from '../capture/drop-sightings.ts';
import { isOrdinaryDrop } from '../diagnose/drop-reasons.ts';
import { dropStatement } from '../diagnose/kernel-drops.ts';
import { reportPlace } from './build-report.ts';
import type { CaptureKernel, CaptureSection } from './capture-report.ts';

/** What the nodes' kernels said of their drops. */
export interface KernelSaid {
  readonly watches: readonly NodeDrops[];
  readonly drops: readonly KernelDrop[];
}

export function kernelSection({ watches, drops }: KernelSaid): CaptureKernel {
  return {
    nodes: watches.map(({ node, gap }) => ({ node, isWhole: gap === undefined, ...(gap !== undefined && { gap }) })),
    drops: drops.map((drop) => ({
      place: reportPlace(drop.place),
      ...(drop.device !== undefined && { device: drop.device }),
      leg: drop.leg,
      as: drop.as,
      reason: drop.reason,
      function: drop.function,
      packets: drop.packets,
      isLoss: drop.as !== 'quoted' && !isOrdinaryDrop(drop),
      statement: dropStatement(drop),
    })),
  };
}

/** In sentences: the losses, what was not watched, and that there were none only where all was. */
export function kernelSentences({ kernel }: Pick<CaptureSection, 'kernel'>, isVerbose: boolean): string[] {
  if (!kernel) return [];
  const { nodes, drops } = kernel;
  const told = drops.filter(({ isLoss }) => isLoss || isVerbose);
  const watched = nodes.filter(({ isWhole }) => isWhole).map(({ node }) => node);
  const none =
    told.length === 0 && watched.length > 0
      ? [
          `no dropped packet of the flow was reported by the kernel of ${watched.join(', ')} (not every loss is: a SYN that a full queue turns away is not)`,
        ]
      : [];
  const gaps = nodes.flatMap(({ node, gap }) =>
    gap === undefined ? [] : [`the kernel of ${node} was not watched wholly: ${gap}`],
  );
  return [...told.map(({ statement }) => statement), ...none, ...gaps];
}
