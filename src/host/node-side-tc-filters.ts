import type { Answer } from './node-side.ts';

interface Hook {
  readonly device: string;
  readonly direction: 'ingress' | 'egress';
}

/**
 * The filters of every device that has an ingress or clsact hook (tc-bpf(8)). tc lists those of one device and
 * direction at a time: first the hooks, then all their filters by one tc in batch mode. The answer is `# DEVICE
 * ingress|egress` and tc's own JSON, for each hook. Programs on the kernel's newer hook (tcx, Linux 6.6) are no filters
 * and are not listed by tc.
 */
export async function askTcFilters(run: (argv: readonly string[], input?: string) => Promise<Answer>): Promise<Answer> {
  const qdiscs = await run(['tc', '-j', 'qdisc', 'show']);
  if (qdiscs.got === 'nothing') return qdiscs;
  const hooks = hooksOf(textOf(qdiscs));
  if (!hooks) return { got: 'nothing', gap: 'failed', detail: 'the JSON of tc qdisc show is not whole' };
  if (hooks.length === 0) return { ...qdiscs, raw: new Uint8Array(0) };
  const input = hooks.map(({ device, direction }) => `filter show dev ${device} ${direction}\n`).join('');
  const filters = await run(['tc', '-j', '-batch', '-'], input);
  if (filters.got === 'nothing') return filters;
  const text = underHeadings(hooks, textOf(filters));
  if (text !== undefined) return { ...filters, raw: new TextEncoder().encode(text) };
  return { got: 'nothing', gap: 'failed', detail: 'a device went away while its tc filters were listed' };
}

/** Undefined where this is not the JSON of `tc -j qdisc show`. */
export function hooksOf(qdiscJson: string): readonly Hook[] | undefined {
  try {
    const qdiscs: unknown = JSON.parse(qdiscJson.trim() || '[]');
    return Array.isArray(qdiscs) ? qdiscs.flatMap(hooksOfQdisc) : undefined;
  } catch {
    return undefined;
  }
}

function hooksOfQdisc({ kind, dev }: { readonly kind?: unknown; readonly dev?: unknown }): readonly Hook[] {
  const device = String(dev);
  const ingress: Hook = { device, direction: 'ingress' };
  if (kind === 'clsact') return [ingress, { device, direction: 'egress' }];
  return kind === 'ingress' ? [ingress] : [];
}

/** tc prints one list a line, in the order asked; undefined where their number tells that one is missing. */
export function underHeadings(hooks: readonly Hook[], printed: string): string | undefined {
  const lists = printed.trim().split('\n');
  if (lists.length !== hooks.length) return undefined;
  return hooks.map(({ device, direction }, n) => `# ${device} ${direction}\n${lists[n]}\n`).join('');
}

function textOf(answer: Answer & { got: 'raw' }): string {
  return Buffer.from(answer.raw).toString('utf8');
}
