/** What stands in the place of a secret. */
export const REDACTED = '[redacted]';

/** Names whose value is a secret, also as the end of a longer name: `db_password`, `--token`, `k8s_auth_token`. */
const SECRET_WORDS = [
  'password',
  'passwd',
  'passphrase',
  'token',
  'secret',
  'credentials?',
  'api[-_]?key',
  'access[-_]?key(?:[-_]?id)?',
  'secret[-_]?key',
  'private[-_]?key',
  'auth[-_]?key',
  'client[-_]key[-_]data',
  'client[-_]certificate[-_]data',
  'certificate[-_]authority[-_]data',
  '(?<![a-z])(?:pass|pwd|authorization|cookie)',
].join('|');

const SECRET_NAME = new RegExp(`(?:${SECRET_WORDS})$`, 'i');

/** Whether what is stored under this name is a secret by the name alone. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name);
}

/** A PEM block; one without its end goes as far as its base64 does. */
const PEM = /-----BEGIN [A-Z0-9 ]+-----(?:[\s\S]*?-----END [A-Z0-9 ]+-----|(?:(?:\s|\\[nr])*[A-Za-z0-9+/=]{16,})*)/g;
const PEM_END = /-----END [A-Z0-9 ]+-----/;
const LINE_BREAK = /(\r?\n|(?:\\r)?\\n)/;
const BEARER = /\b(Bearer\s+)[A-Za-z0-9._~+/=-]{8,}/gi;
const BASIC = /(authorization\\*["']?\s*[=:]\s*\\*["']?Basic\s+)[A-Za-z0-9+/=]+/gi;
const JWT = /\beyJ[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]{6,}\.[A-Za-z0-9_-]*/g;
const AWS_KEY_ID = /\b(?:AKIA|ASIA)[A-Z0-9]{16}\b/g;
const USERINFO = /\b([a-z][a-z0-9+.-]{0,15}:\/\/)[^\s/"'<>]+@/gi;
/** `name=value`, `name: value`, `"name": "value"`, also within a string that JSON has escaped once more; or cut at its end. */
const ASSIGNMENT = new RegExp(
  `((?:${SECRET_WORDS})(?:\\\\*["'])?\\s*[=:]\\s*)(?:(\\\\*["'])(?:(?!\\2)(?:\\\\.|[^\\n]))*(\\2|$)|[^\\s"',;&\\\\]+)`,
  'gim',
);

/** Secrets that show by their own form: PEM blocks, bearer tokens, JWTs, cloud key ids, passwords in URLs. */
export function redactForms(text: string): string {
  return redactPemTail(text.replace(PEM, REDACTED))
    .replace(BEARER, `$1${REDACTED}`)
    .replace(BASIC, `$1${REDACTED}`)
    .replace(JWT, REDACTED)
    .replace(AWS_KEY_ID, REDACTED)
    .replace(USERINFO, '$1');
}

/** Also values that a secret's name stands before; for logs, messages, command lines and configuration files. */
export function redactText(text: string): string {
  return redactForms(text).replace(
    ASSIGNMENT,
    (_whole, before: string, open: string | undefined, close: string | undefined) =>
      `${before}${open ?? ''}${REDACTED}${close ?? ''}`,
  );
}

/** A log may begin within a PEM block: the lines of base64 before an end without a beginning. */
function redactPemTail(text: string): string {
  const end = PEM_END.exec(text);
  if (!end) return text;
  const pieces = text.slice(0, end.index).split(LINE_BREAK); // lines and their breaks in turn
  let keep = pieces.length - 1;
  if (/^[A-Za-z0-9+/=]*$/.test(pieces[keep]!)) keep -= 2;
  if (/^[A-Za-z0-9+/=]+$/.test(pieces[keep] ?? ' ')) keep -= 2; // the last line of base64 is short
  while (keep >= 0 && /^["']?[A-Za-z0-9+/=]{40,}$/.test(pieces[keep]!)) keep -= 2;
  const before = pieces.slice(0, keep + 2).join('');
  return redactPemTail(`${before}${REDACTED}${text.slice(end.index + end[0].length)}`);
}
