/** A statement or expression of libnftables-json(5): an object whose one key names its kind. */
export interface NftNode {
  readonly kind: string;
  readonly body: unknown;
}

export function asRecord(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}

/** The node's kind and what stands under it; undefined where `value` is a literal, a list or has several keys. */
export function nftNode(value: unknown): NftNode | undefined {
  const record = asRecord(value);
  if (!record) return undefined;
  let kind: string | undefined;
  for (const key in record) {
    if (kind !== undefined) return undefined;
    kind = key;
  }
  return kind === undefined ? undefined : { kind, body: record[kind] };
}

/** libnftables prints a single flag as a string and several as a list. */
export function asStrings(value: unknown): readonly string[] {
  if (typeof value === 'string') return [value];
  return Array.isArray(value) ? value.filter((item) => typeof item === 'string') : [];
}

export function asText(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function asNumber(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
