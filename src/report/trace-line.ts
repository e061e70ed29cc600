/** One line of a trace before it is set: what it is, the kernel's stage it belongs to, how deep it is called. */
export interface TraceLine {
  readonly kind:
    | 'title'
    | 'way'
    | 'hop'
    | 'packet'
    | 'step'
    /** The very line of a rule set, a table or a file. */
    | 'quote'
    /** What was changed in the packet or beside it. */
    | 'change'
    /** A rule that was not decided. */
    | 'undecided'
    /** A rule that does not match. */
    | 'passed'
    | 'fork'
    | 'alive'
    | 'dead'
    | 'open'
    | 'note';
  readonly text: string;
  /** `prerouting`, `routing`, `bridge` …; shown where it differs from that of the line before. */
  readonly stage?: string;
  /** How many chains deep the rule was called. */
  readonly depth?: number;
}
