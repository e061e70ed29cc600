import type { Pod } from '../snapshot/objects.ts';
import type { Access } from './kubernetes-access.ts';
import { type ApiClient, ApiFailure } from './kubernetes-client.ts';
import { HelperFailure } from './kubernetes-helper-failure.ts';
import { type HelperSettings, jobManifest, podManifest } from './kubernetes-helper-manifest.ts';
import type { NodeLink } from './kubernetes-link.ts';
import { KINDS } from './kubernetes-sweep.ts';

/** What was made for one node, and what became of it. */
export interface Helper {
  readonly node: string;
  readonly name: string;
  /** What was asked to be created, in that order; a failed creation may have happened all the same. */
  readonly objects: { readonly kind: keyof typeof KINDS; readonly name: string }[];
  creating: Promise<unknown>;
  pod?: Pod;
  link?: NodeLink;
}

const FORBIDDEN = 403;

/** A Job; a bare Pod where Jobs are forbidden, or as long as nobody turns Jobs into pods. */
export async function createHelper(
  client: ApiClient,
  settings: HelperSettings,
  helper: Helper,
  access: Access,
): Promise<void> {
  const jobsDenied = access.answers.some(
    (one) => one.verb === 'create' && one.resource === 'jobs.batch' && !one.allowed,
  );
  try {
    if (!jobsDenied) return await create(client, settings, helper, 'job', helper.name);
  } catch (error) {
    if (!(error instanceof ApiFailure) || error.status !== FORBIDDEN) throw error;
  }
  await create(client, settings, helper, 'pod', helper.name);
}

export async function create(
  client: ApiClient,
  settings: HelperSettings,
  helper: Helper,
  kind: keyof typeof KINDS,
  name: string,
): Promise<void> {
  const manifest = (kind === 'job' ? jobManifest : podManifest)(settings, name, helper.node);
  helper.objects.push({ kind, name });
  const creating = client.request({ method: 'POST', path: KINDS[kind](settings.namespace), body: manifest });
  helper.creating = Promise.allSettled([helper.creating, creating]);
  await creating;
}

/** Jobs are admitted and their pods then refused out of sight: the pod itself is put before the server's admission. */
export async function refuseByDryRun(client: ApiClient, settings: HelperSettings, helper: Helper): Promise<void> {
  const body = podManifest(settings, `${helper.name}-dry-run`, helper.node);
  const asked = { method: 'POST', path: KINDS.pod(settings.namespace), query: { dryRun: 'All' }, body } as const;
  await client.request(asked).catch((error: ApiFailure) => {
    // Who may make Jobs only learns nothing here.
    if (error.status !== FORBIDDEN || /cannot create resource "pods"/.test(error.message)) return;
    throw new HelperFailure('not-permitted', `namespace ${settings.namespace} does not admit it: ${error.message}`);
  });
}
