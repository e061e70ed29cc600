import type { Finding } from '../../diagnose/cause.ts';
import type { Evidence } from '../../diagnose/evidence.ts';

type Present = Extract<Finding, { is: 'present' }>;

/** A present finding; without a piece of evidence it is none, and the answer is *unknown*. */
export function present(parts: Omit<Present, 'is' | 'evidence'> & { readonly evidence: readonly Evidence[] }): Finding {
  const [first, ...rest] = parts.evidence;
  if (!first) return { is: 'unknown', because: 'it looks present, but nothing that was seen says so' };
  return { ...parts, is: 'present', evidence: [first, ...rest] };
}
