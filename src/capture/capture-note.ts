import { z } from 'zod';
import type { PointWatch } from './read-captures.ts';
import type { WatchPlan } from './watch-plan.ts';

const FORMAT = 'podtriage.watch/v1';

/** What a capture file must tell so that it can be read like on the day it was made: the comment of its section. */
export interface CaptureNote {
  readonly target: { readonly source: string; readonly destination: string; readonly flow: string };
  readonly plan: WatchPlan;
  readonly watches: readonly PointWatch[];
}

const place = z.object({
  node: z.string(),
  namespace: z.union([z.literal('host'), z.templateLiteral(['pod/', z.string(), '/', z.string()])]),
});
const ports = { sourcePort: z.number().optional(), destinationPort: z.number().optional() };
const outer = z.object({
  tunnel: z.enum(['vxlan', 'geneve', 'ipip', 'sit', 'ip6tnl', 'gre', 'gretap', 'wireguard']),
  source: z.string(),
  destination: z.string(),
  port: z.number().optional(),
});
const tuple = z.object({
  protocol: z.union([z.enum(['tcp', 'udp', 'sctp', 'icmp', 'icmpv6']), z.number()]),
  source: z.string(),
  destination: z.string(),
  ...ports,
  outer: outer.optional(),
});
const way = z.object({
  leg: z.enum(['there', 'back']),
  steps: z.array(z.object({ point: z.number().int().nonnegative(), way: z.enum(['in', 'out']), tuple })),
  made: z.number().int().nonnegative(),
  end: z.string().optional(),
  leaves: z.literal(true).optional(),
});
const note = z.object({
  format: z.literal(FORMAT),
  target: z.object({ source: z.string(), destination: z.string(), flow: z.string() }),
  plan: z.object({
    points: z.array(
      z.object({
        place,
        device: z.string(),
        tuples: z.array(tuple),
        mac: z.string().optional(),
        shaper: z.string().optional(),
      }),
    ),
    ways: z.array(way),
    left: z.number().int().nonnegative(),
  }),
  watches: z.array(z.object({ frames: z.number(), isWhole: z.boolean(), gap: z.string().optional() })),
});

export function captureNote(about: CaptureNote): string {
  return JSON.stringify({ format: FORMAT, ...about });
}

/** Undefined where the comment is somebody else's, or names points that the file does not have. */
export function readCaptureNote(comment: string | undefined, interfaces: number): CaptureNote | undefined {
  const read = note.safeParse(jsonOf(comment));
  if (!read.success) return undefined;
  const { plan } = read.data;
  const isSound =
    plan.points.length === interfaces && plan.ways.every(({ steps }) => steps.every(({ point }) => point < interfaces));
  return isSound ? (read.data as unknown as CaptureNote) : undefined;
}

function jsonOf(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}
