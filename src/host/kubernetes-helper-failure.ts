import type { Gap } from './host.ts';

/** Why a node has no helper. */
export class HelperFailure extends Error {
  override readonly name = 'HelperFailure';
  readonly gap: Gap;

  constructor(gap: Gap, message: string) {
    super(message);
    this.gap = gap;
  }
}
