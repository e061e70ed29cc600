/** What became of SYNs of one size (src/probe/padded-syn.ts). */
export interface SynSizeAnswer {
  /** Those of which something is known. */
  readonly sent: number;
  readonly answered: number;
  /** Of the answered: by a reset, so that nobody listens, or a rule refused it. */
  readonly resets: number;
  /** The kernel said EMSGSIZE while it waited: this one, or another to the same address, was too big for the path. */
  readonly disturbed: number;
  /** That the other end asks for. */
  readonly mss?: number;
  /** Why some could not be sent. */
  readonly detail?: string;
}
