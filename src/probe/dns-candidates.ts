/** Of resolv.conf: what decides which names are asked. */
export interface SearchRules {
  readonly search: readonly string[];
  readonly options: Readonly<Record<string, string>>;
}

/**
 * The fully qualified names that a resolver asks for `host`, in order (resolv.conf(5), glibc): a name with a final dot
 * only as it is; one with at least `ndots` dots first as it is, otherwise last.
 */
export function dnsCandidates(host: string, { search, options }: SearchRules): readonly string[] {
  if (host.endsWith('.')) return [host];
  const ndots = Math.min(Number(options.ndots ?? 1) || 0, 15);
  const searched = search.map((domain) => `${host}.${domain.replace(/\.$/, '')}.`);
  const dots = host.split('.').length - 1;
  return dots >= ndots ? [`${host}.`, ...searched] : [...searched, `${host}.`];
}
