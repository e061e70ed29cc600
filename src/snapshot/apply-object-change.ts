import { isObject } from '../parse/json-items.ts';
import { checkObject, type ObjectFacts } from './objects-schema.ts';
import type { ChangeOf, Outcome } from './overlay-snapshot.ts';

/**
 * A merge patch on the object that `ref` names: `pods/NS/NAME`, or `nodes/NAME`. A null patch takes the object away; an
 * object that is not there is made of the patch where that makes a whole one.
 */
export function applyObjectChange<K extends keyof ObjectFacts>(
  objects: readonly ObjectFacts[K][],
  name: K,
  { ref, patch }: ChangeOf<'object'>,
): Outcome<readonly ObjectFacts[K][]> {
  const parts = ref.split('/');
  const objectName = parts.at(-1)!;
  const namespace = parts.length > 2 ? parts.at(-2) : undefined;
  const index = objects.findIndex(
    ({ metadata }) => metadata.name === objectName && (namespace === undefined || metadata.namespace === namespace),
  );
  if (patch === null) return index < 0 ? 'not-meant' : { value: objects.toSpliced(index, 1) };
  const start =
    index < 0 ? { metadata: { name: objectName, ...(namespace !== undefined && { namespace }) } } : objects[index];
  const checked = checkObject(name, mergePatch(start, patch));
  if (!('object' in checked)) return 'failed';
  return { value: index < 0 ? [...objects, checked.object] : objects.with(index, checked.object) };
}

/** RFC 7386, section 2. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  const result: Record<string, unknown> = isObject(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = mergePatch(result[key], value);
  }
  return result;
}
