import { z } from 'zod';

export const BUNDLE_FORMAT = 'podtriage.bundle';
/** What this podtriage writes, and the newest that it reads. */
export const BUNDLE_VERSION = 1;

/** What a bundle says of itself, in its first file `manifest.json`. */
export interface BundleManifest {
  readonly format: typeof BUNDLE_FORMAT;
  readonly version: number;
  /** Milliseconds since the epoch. */
  readonly createdAtMs: number;
  /** Version of the podtriage that wrote it. */
  readonly podtriage: string;
  /** The question in the user's words, where there was one. */
  readonly question?: {
    readonly source: string;
    readonly destination?: string;
    readonly namespace?: string;
    readonly port?: string | number;
    readonly protocol?: string;
    readonly family?: number;
    readonly class?: string;
    readonly container?: string;
  };
  /** What a reader should know and no reply says. */
  readonly notes: readonly string[];
}

const text = z.string().optional();

const manifestSchema = z.object({
  format: z.literal(BUNDLE_FORMAT),
  version: z.number().int().min(1),
  createdAtMs: z.number(),
  podtriage: z.string(),
  question: z
    .object({
      source: z.string(),
      destination: text,
      namespace: text,
      port: z.union([z.string(), z.number()]).optional(),
      protocol: text,
      family: z.number().optional(),
      class: text,
      container: text,
    })
    .optional(),
  notes: z.array(z.string()).default([]),
});

const headSchema = z.object({
  format: z.literal(BUNDLE_FORMAT),
  version: z.number(),
  podtriage: z.string().default(''),
});

/** Throws an error that says what to do: a newer bundle, or none at all. */
export function parseManifest(raw: string): BundleManifest {
  const document = parseJson(raw);
  const head = headSchema.safeParse(document).data;
  if (!head) throw new Error('this is no podtriage bundle: its manifest.json is not one of podtriage');
  if (head.version > BUNDLE_VERSION) {
    const writer = head.podtriage === '' ? 'a newer podtriage' : `podtriage ${head.podtriage}`;
    throw new Error(
      `this bundle has format version ${head.version}, and this podtriage reads up to ${BUNDLE_VERSION}: ` +
        `use ${writer} or newer, which wrote it`,
    );
  }
  const manifest = manifestSchema.safeParse(document);
  if (!manifest.success) {
    const [issue] = manifest.error.issues;
    throw new Error(`the bundle's manifest.json is damaged: ${issue?.path.join('.')}: ${issue?.message}`);
  }
  return manifest.data;
}

function parseJson(raw: string): unknown {
  try {
    return JSON.parse(raw);
  } catch {
    return undefined;
  }
}
