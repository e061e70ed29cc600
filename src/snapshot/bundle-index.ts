import { z } from 'zod';
import type { Reply } from '../host/host.ts';
import type { Place } from '../net/place.ts';

/*
 * `index.jsonl`: one line per reply with everything but its raw bytes, which are in the file that the line names.
 */

const scalar = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const namespaceSchema = z.custom<Place['namespace']>(
  (value) => typeof value === 'string' && (value === 'host' || /^pod\/[^/]+\/[^/]+$/.test(value)),
);

const requestSchema = z.object({
  action: z.string(),
  place: z.object({
    node: z.string(),
    namespace: namespaceSchema,
    device: z.string().optional(),
    object: z.string().optional(),
  }),
  args: z.record(z.string(), scalar),
  round: z.number(),
  podUid: z.string().optional(),
});

const common = { request: requestSchema, startedAtMs: z.number(), tookMs: z.number() };

const lineSchema = z.discriminatedUnion('got', [
  z.object({
    ...common,
    got: z.literal('raw'),
    file: z.string(),
    bytes: z.number().int().min(0),
    exitCode: z.number(),
    truncated: z.boolean(),
    tool: z.string(),
  }),
  z.object({
    ...common,
    got: z.literal('nothing'),
    gap: z.enum([
      'not-asked',
      'not-permitted',
      'not-installed',
      'not-supported',
      'timed-out',
      'too-large',
      'unreachable',
      'failed',
    ]),
    detail: z.string(),
  }),
]);

export type IndexLine = z.infer<typeof lineSchema>;

export function indexLineOf(reply: Reply, file: string): IndexLine {
  const { request, startedAtMs, tookMs } = reply;
  const head = { request: { ...request, args: { ...request.args } }, startedAtMs, tookMs };
  if (reply.got === 'nothing') return { ...head, got: 'nothing', gap: reply.gap, detail: reply.detail };
  const { raw, exitCode, truncated, tool } = reply;
  return { ...head, got: 'raw', file, bytes: raw.length, exitCode, truncated, tool };
}

/** Undefined where the line is cut or is none. */
export function parseIndexLine(text: string): IndexLine | undefined {
  try {
    return lineSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
