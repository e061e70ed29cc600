import { z } from 'zod';
import { parseAddress } from '../net/address.ts';
import { parseJson } from './objects-schema.ts';
import type { ProbeFacts } from './probe-answers.ts';

/* Checks the probes' answers, which the node side writes as JSON of the types in probe-answers.ts. */

const address = z.string().transform((text) => parseAddress(text) ?? text);
const optionalAddress = address.optional();
const text = z.string().optional();
const number = z.number().optional();

const tcp = z.object({
  outcome: z.enum(['connected', 'refused', 'reset', 'timed-out', 'unreachable', 'failed']),
  errno: text,
  latencyMs: number,
  localAddress: optionalAddress,
  localPort: number,
});

const udp = z.object({
  outcome: z.enum(['answered', 'silent', 'refused', 'unreachable', 'failed']),
  errno: text,
  latencyMs: number,
  bytes: number,
});

const icmp = z.object({
  outcome: z.enum(['answered', 'silent', 'unreachable', 'too-big', 'not-permitted', 'failed']),
  sent: z.number(),
  received: z.number(),
  latencyMs: number,
  errors: z.array(z.object({ from: optionalAddress, text: z.string(), mtu: number })),
  replies: z.array(z.object({ sequence: z.number(), latencyMs: number })).optional(),
  duplicates: number,
  detail: text,
});

const dnsOutcome = z.enum([
  'answered',
  'no-data',
  'nxdomain',
  'servfail',
  'refused',
  'timed-out',
  'unreachable',
  'failed',
]);

const synSize = z.object({
  sent: z.number(),
  answered: z.number(),
  resets: z.number(),
  disturbed: z.number(),
  mss: number,
  detail: text,
});

const dns = z.object({
  outcome: dnsOutcome,
  rcode: text,
  addresses: z.array(address),
  names: z.array(z.string()),
  truncated: z.boolean(),
  bytes: number,
  latencyMs: number,
  errno: text,
});

const lookup = z.object({
  outcome: z.enum(['found', 'no-such-name', 'no-address', 'try-again', 'failed', 'cut-off']),
  addresses: z.array(address),
  found: text,
  latencyMs: z.number(),
  queries: z.array(
    z.object({
      name: z.string(),
      type: z.enum(['A', 'AAAA']),
      server: address,
      transport: z.enum(['udp', 'tcp']),
      sentAtMs: z.number(),
      outcome: dnsOutcome,
      latencyMs: number,
      truncated: z.boolean().optional(),
    }),
  ),
});

const SCHEMAS: { readonly [K in keyof ProbeFacts]: z.ZodType<ProbeFacts[K]> } = {
  'probe.tcp': tcp,
  'probe.udp': udp,
  'probe.icmp': icmp,
  'probe.syn': synSize,
  'probe.dns': dns,
  'probe.lookup': lookup,
};

/** Undefined where the text is no such answer. */
export function parseProbeAnswer<K extends keyof ProbeFacts>(name: K, raw: string): ProbeFacts[K] | undefined {
  return SCHEMAS[name].safeParse(parseJson(raw)).data;
}
