import { isObject, type JsonObject } from '../parse/json-items.ts';
import { isProxyVariable, withoutUserinfo } from './proxy-variable.ts';
import { isSecretName, REDACTED, redactForms, redactText } from './redact-text.ts';

/** Annotation values above this are manifests or the like, never what a packet depends on. */
const ANNOTATION_MAX_CHARS = 1024;

/**
 * An API object without what is nobody's business: environment values (but *_PROXY, without userinfo), annotations
 * that embed manifests or secrets, managedFields, configuration that holds keys or certificates, and tokens, passwords
 * and PEM blocks in any text. What was taken away says so, so that it is not read as absent.
 */
export function redactObject(object: JsonObject): JsonObject {
  const clean = redactFields(object);
  return isConfigMap(object) ? redactConfigMap(clean) : clean;
}

/** Labels select pods and hold no secrets (63 characters at most): a changed one would select others. */
const LABELS: ReadonlySet<string> = new Set(['labels', 'matchLabels', 'selector', 'nodeSelector']);
/** `registry/token:1.2` is no assignment. */
const NAMES: ReadonlySet<string> = new Set(['image', 'imageID', 'name', 'namespace']);

function redactFields(object: JsonObject): JsonObject {
  const isNamedValue = typeof object.name === 'string' && typeof object.value === 'string';
  const entries = Object.entries(object)
    .filter(([key]) => key !== 'managedFields')
    .map(([key, value]): [string, unknown] => {
      if (LABELS.has(key)) return [key, value];
      if (key === 'annotations' && isObject(value)) return [key, redactAnnotations(value)];
      if (key === 'env' && Array.isArray(value)) return [key, value.map(redactEnvironment)];
      // httpHeaders and the like: {name: Authorization, value: …}
      if (key === 'value' && isNamedValue && isSecretName(String(object.name))) return [key, REDACTED];
      return [key, redactValue(value, key)];
    });
  return Object.fromEntries(entries);
}

function redactValue(value: unknown, key: string): unknown {
  if (typeof value === 'string' && NAMES.has(key)) return redactForms(value);
  if (typeof value === 'string') return isSecretName(key) ? REDACTED : redactText(value);
  if (Array.isArray(value)) return redactList(value, key);
  return isObject(value) ? redactFields(value) : value;
}

/** In a command line, the word after `--password` is one. */
function redactList(values: readonly unknown[], key: string): readonly unknown[] {
  return values.map((value, index) => {
    const before = values[index - 1];
    const follows = typeof before === 'string' && before.startsWith('-') && isSecretName(before);
    if (follows && typeof value === 'string' && !value.startsWith('-')) return REDACTED;
    return redactValue(value, key);
  });
}

function redactAnnotations(annotations: JsonObject): JsonObject {
  return Object.fromEntries(
    Object.entries(annotations).map(([key, value]) => [
      key,
      typeof value === 'string' && isPrivateAnnotation(key, value) ? REDACTED : redactValue(value, key),
    ]),
  );
}

function isPrivateAnnotation(key: string, value: string): boolean {
  if (key.endsWith('/last-applied-configuration') || isSecretName(key)) return true;
  if (value.length > ANNOTATION_MAX_CHARS) return true;
  const document = parseOrUndefined(value);
  return document !== undefined && isPrivateDocument(document);
}

/** A manifest, or data under a secret's name; a CNI's own JSON (`{"VNI":1,"VtepMAC":…}`) is neither. */
function isPrivateDocument(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(isPrivateDocument);
  if (!isObject(value)) return false;
  if ('apiVersion' in value || 'kind' in value || 'stringData' in value) return true;
  return Object.entries(value).some(
    ([key, entry]) => (typeof entry === 'string' && isSecretName(key)) || isPrivateDocument(entry),
  );
}

/** Only proxies are kept: they decide where a client connects to. Names stay, so that a variable is not read as missing. */
function redactEnvironment(variable: unknown): unknown {
  if (!isObject(variable) || typeof variable.value !== 'string') return variable;
  return {
    ...variable,
    value: isProxyVariable(String(variable.name)) ? redactForms(withoutUserinfo(variable.value)) : REDACTED,
  };
}

function isConfigMap(object: JsonObject): boolean {
  return isObject(object.data) || isObject(object.binaryData);
}

const PRIVATE_KEY_NAME =
  /(^|[._-])(kubeconfig|tokens?|passw(or)?d|secrets?|credentials?|keys?|certs?|certificates?|crt|pem|ca|ca-file|p12|pfx|jks|htpasswd)([._-]|$)/i;

function redactConfigMap(configMap: JsonObject): JsonObject {
  const data = isObject(configMap.data) ? configMap.data : undefined;
  const binary = isObject(configMap.binaryData) ? configMap.binaryData : undefined;
  const kept = (key: string, value: unknown): unknown => (isPrivateEntry(key, value) ? REDACTED : value);
  return {
    ...configMap,
    ...(data && { data: Object.fromEntries(Object.entries(data).map(([key, value]) => [key, kept(key, value)])) }),
    ...(binary && { binaryData: Object.fromEntries(Object.keys(binary).map((key) => [key, REDACTED])) }),
  };
}

function isPrivateEntry(key: string, value: unknown): boolean {
  if (PRIVATE_KEY_NAME.test(key)) return true;
  // A kubeconfig under another name.
  return typeof value === 'string' && /^\s*kind:\s*Config\s*$/m.test(value) && /^\s*users:/m.test(value);
}

function parseOrUndefined(text: string): unknown {
  if (!/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    // Half a document cannot be judged by its keys.
    return { kind: 'unreadable' };
  }
}
