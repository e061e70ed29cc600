import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import type { ApiObject } from './api.ts';

/** Puts values in place of `${name}`; a name without a value is an error. */
export const fillIn = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replace(/\$\{(?<name>\w+)\}/g, (_, name: string) => {
    const value = values[name];
    if (value === undefined) throw new Error(`no value for \${${name}}`);
    return value;
  });

/** The objects of `manifests/<name>.yaml`. */
export const readManifest = async (
  name: string,
  values: Readonly<Record<string, string>>,
): Promise<readonly ApiObject[]> => {
  const text = await readFile(join(import.meta.dirname, 'manifests', `${name}.yaml`), 'utf8');
  return parseAllDocuments(fillIn(text, values)).map((document) => {
    if (document.errors.length > 0) throw new Error(`manifests/${name}.yaml: ${document.errors[0]!.message}`);
    return document.toJS() as ApiObject;
  });
};
