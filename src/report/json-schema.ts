/**
 * Builders of JSON Schemas (draft 2020-12), written along the types: `objectOf<T>` wants every key of T and `oneOf<T>` every
 * member of a union of strings, so that a field added to, or taken from, a type does not compile until the schema has followed.
 */

/** A JSON Schema, as plain data. */
export type JsonSchema = { readonly [keyword: string]: unknown };

type OptionalKeys<T> = { [K in keyof T]-?: object extends Pick<T, K> ? K : never }[keyof T];

/** A closed object: exactly the keys of T, required unless T has them optional. */
export function objectOf<T>(
  properties: { readonly [K in keyof T]-?: JsonSchema },
  optional: { readonly [K in OptionalKeys<T>]: 'optional' },
): JsonSchema {
  const required = Object.keys(properties).filter((key) => !(key in optional));
  return { type: 'object', additionalProperties: false, required, properties };
}

export function oneOf<T extends string>(members: Readonly<Record<T, true>>): JsonSchema {
  return { type: 'string', enum: Object.keys(members) };
}

export function listOf(items: JsonSchema): JsonSchema {
  return { type: 'array', items };
}

export function ref(name: string): JsonSchema {
  return { $ref: `#/$defs/${name}` };
}

export const STRING: JsonSchema = { type: 'string' };
export const WORDS: JsonSchema = { type: 'string', minLength: 1 };
export const INTEGER: JsonSchema = { type: 'integer', minimum: 0 };
export const MILLISECONDS: JsonSchema = { type: 'number', minimum: 0 };
export const BOOLEAN: JsonSchema = { type: 'boolean' };
export const SCALAR: JsonSchema = { type: ['string', 'number', 'boolean', 'null'] };
export const SCALARS: JsonSchema = { type: 'object', additionalProperties: SCALAR };
export const NAMESPACE: JsonSchema = { type: 'string', pattern: '^(host|pod/[^/]+/[^/]+)$' };
