import { asNumber, asRecord, asStrings, asText, nftNode } from './nft-node.ts';

/**
 * A rule of `nft -j` in nft(8)'s own syntax, for reports. Counters' values are left out, since they change between two
 * looks at the same rule. A node that is not known here is shown as its JSON.
 */
export function renderNftRule(statements: readonly unknown[], comment?: string): string {
  const parts = statements.map(renderNftStatement);
  if (comment !== undefined) parts.push(`comment ${JSON.stringify(comment)}`);
  return parts.join(' ');
}

const BARE_META = new Set([
  'iif',
  'oif',
  'iifname',
  'oifname',
  'iiftype',
  'oiftype',
  'iifgroup',
  'oifgroup',
  'skuid',
  'skgid',
]);
const NAME_META = new Set(['iifname', 'oifname', 'iif', 'oif']);

export function renderNftStatement(statement: unknown): string {
  const node = nftNode(statement);
  if (!node) return statement === null ? 'xt' : JSON.stringify(statement);
  const body = asRecord(node.body);
  switch (node.kind) {
    case 'match':
      return renderMatch(body ?? {});
    case 'vmap':
      return `${renderNftExpression(body?.key)} vmap ${renderData(body?.data)}`;
    case 'accept':
    case 'drop':
    case 'continue':
    case 'return':
    case 'notrack':
    case 'last':
      return node.kind;
    case 'jump':
    case 'goto':
      return `${node.kind} ${String(body?.target)}`;
    case 'counter':
      return body || node.body === null ? 'counter' : `counter name ${JSON.stringify(node.body)}`;
    case 'mangle':
      return `${renderNftExpression(body?.key)} set ${renderRight(body?.value, body?.key)}`;
    case 'dnat':
    case 'snat':
    case 'masquerade':
    case 'redirect':
      return renderNat(node.kind, body ?? {});
    case 'reject':
      return renderReject(body);
    case 'set':
    case 'map':
      return renderSetStatement(body ?? {});
    case 'log':
      return `log${options(body, ['prefix', 'group', 'level', 'queue-threshold', 'snaplen'])}`;
    case 'limit':
      return renderLimit(node.body);
    case 'quota':
      return renderQuota(node.body);
    case 'ct count':
      return `ct count ${body?.inv === true ? 'over ' : ''}${String(body?.val)}`;
    case 'queue':
      return `queue${body?.num === undefined ? '' : ` num ${renderNftExpression(body.num)}`}${flagText(body?.flags)}`;
    case 'tproxy':
      return `tproxy${body?.family === undefined ? '' : ` ${String(body.family)}`} to ${endpointText(body ?? {})}`;
    case 'dup':
    case 'fwd':
      return `${node.kind} to ${renderNftExpression(body?.addr ?? body?.dev)}`;
    case 'flow':
      return `flow ${String(body?.op ?? 'add')} ${String(body?.flowtable)}`;
    case 'xt':
      return ['xt', body?.type, body?.name].filter((part) => part !== undefined).join(' ');
    case 'ct helper':
    case 'ct timeout':
    case 'ct expectation':
    case 'secmark':
    case 'synproxy':
      return body ? node.kind : `${node.kind} ${JSON.stringify(node.body)}`;
    default:
      return JSON.stringify(statement);
  }
}

export function renderNftExpression(expression: unknown): string {
  if (typeof expression === 'string' || typeof expression === 'number' || typeof expression === 'boolean') {
    return String(expression);
  }
  if (Array.isArray(expression)) return expression.map(renderNftExpression).join(',');
  const node = nftNode(expression);
  if (!node) return JSON.stringify(expression);
  const body = asRecord(node.body);
  switch (node.kind) {
    case 'payload':
      return renderPayload(body ?? {});
    case 'meta':
      return renderMeta(node.body);
    case 'ct':
      return `ct ${[body?.dir, body?.family, body?.key].filter((part) => part !== undefined).join(' ')}`;
    case 'rt':
    case 'socket':
    case 'osf':
      return `${node.kind} ${[body?.family, body?.key].filter((part) => part !== undefined).join(' ')}`;
    case 'fib':
      return `fib ${asStrings(body?.flags).join(' . ')} ${String(body?.result)}`;
    case 'numgen':
      return `numgen ${String(body?.mode)} mod ${String(body?.mod)}${offsetText(body?.offset)}`;
    case 'jhash':
      return `jhash ${renderNftExpression(body?.expr)} mod ${String(body?.mod)}${offsetText(body?.offset)}`;
    case 'symhash':
      return `symhash mod ${String(body?.mod)}${offsetText(body?.offset)}`;
    case 'exthdr':
    case 'tcp option':
    case 'ip option':
    case 'sctp chunk':
    case 'dccp option':
      return [node.kind, body?.name, body?.field].filter((part) => part !== undefined).join(' ');
    case 'prefix':
      return `${renderNftExpression(body?.addr)}/${String(body?.len)}`;
    case 'range':
      return Array.isArray(node.body) ? node.body.map(renderNftExpression).join('-') : JSON.stringify(expression);
    case 'concat':
      return Array.isArray(node.body) ? node.body.map(renderNftExpression).join(' . ') : JSON.stringify(expression);
    case 'elem':
      return renderNftExpression(body?.val);
    case 'set':
      return renderData(expression);
    case 'map':
      return `${renderNftExpression(body?.key)} map ${renderData(body?.data)}`;
    case '&':
    case '|':
    case '^':
    case '<<':
    case '>>':
      return renderBinary(node.kind, node.body);
    case 'accept':
    case 'drop':
    case 'continue':
    case 'return':
    case 'jump':
    case 'goto':
      return renderNftStatement(expression);
    default:
      return JSON.stringify(expression);
  }
}

function renderMatch(body: Readonly<Record<string, unknown>>): string {
  const masked = Array.isArray(nftNode(body.left)?.body) && nftNode(body.left)?.kind !== 'concat';
  const usual = body.op === undefined || body.op === 'in' || (body.op === '==' && !masked);
  const op = usual ? '' : `${String(body.op)} `;
  return `${renderNftExpression(body.left)} ${op}${renderRight(body.right, body.left)}`;
}

/** The right side as nft prints it beside this left side: device names quoted, marks in hexadecimal. */
function renderRight(right: unknown, left: unknown): string {
  const key = metaKey(left);
  if (typeof right === 'boolean') return right ? 'exists' : 'missing';
  if (key !== undefined && NAME_META.has(key) && typeof right === 'string' && !right.startsWith('@')) {
    return JSON.stringify(right);
  }
  if (isMark(left)) return markText(right, left);
  return renderNftExpression(right);
}

function markText(value: unknown, left: unknown): string {
  if (typeof value === 'number') return `0x${value.toString(16).padStart(8, '0')}`;
  const node = nftNode(value);
  if (node && Array.isArray(node.body) && ['&', '|', '^'].includes(node.kind)) {
    return node.body
      .map((item) => (typeof item === 'number' ? markText(item, left) : renderNftExpression(item)))
      .join(` ${node.kind} `);
  }
  return renderNftExpression(value);
}

function isMark(expression: unknown): boolean {
  const node = nftNode(expression);
  if (node && Array.isArray(node.body)) return isMark(node.body[0]);
  return metaKey(expression) === 'mark' || (node?.kind === 'ct' && asRecord(node.body)?.key === 'mark');
}

function metaKey(expression: unknown): string | undefined {
  const node = nftNode(expression);
  if (node?.kind !== 'meta') return undefined;
  return asText(asRecord(node.body)?.key ?? node.body);
}

function renderMeta(body: unknown): string {
  const key = asText(asRecord(body)?.key ?? body) ?? JSON.stringify(body);
  return BARE_META.has(key) ? key : `meta ${key}`;
}

function renderPayload(body: Readonly<Record<string, unknown>>): string {
  if (body.base !== undefined) return `@${String(body.base)},${String(body.offset)},${String(body.len)}`;
  return [body.tunnel, body.protocol, body.field].filter((part) => part !== undefined).join(' ');
}

function renderBinary(operator: string, body: unknown): string {
  if (!Array.isArray(body)) return JSON.stringify({ [operator]: body });
  const mark = isMark(body[0]);
  return body.map((item) => (mark ? markText(item, body[0]) : renderNftExpression(item))).join(` ${operator} `);
}

function renderData(data: unknown): string {
  if (typeof data === 'string') return data;
  const elements = Array.isArray(data) ? data : asRecord(data)?.set;
  if (!Array.isArray(elements)) return renderNftExpression(elements ?? data);
  return `{ ${elements.map(renderElement).join(', ')} }`;
}

function renderElement(element: unknown): string {
  if (!Array.isArray(element)) return renderNftExpression(element);
  return element.map(renderNftExpression).join(' : ');
}

function renderNat(kind: string, body: Readonly<Record<string, unknown>>): string {
  const family = body.family === undefined ? '' : ` ${String(body.family)}`;
  const to = endpointText(body);
  return `${kind}${to === '' ? '' : `${family} to ${to}`}${flagText(body.flags)}`;
}

function endpointText(body: Readonly<Record<string, unknown>>): string {
  const address = body.addr === undefined ? '' : renderNftExpression(body.addr);
  if (body.port === undefined) return address;
  const host = address.includes(':') && !address.includes(' ') ? `[${address}]` : address;
  return `${host}:${renderNftExpression(body.port)}`;
}

function renderReject(body: Readonly<Record<string, unknown>> | undefined): string {
  if (!body?.type) return 'reject';
  return body.type === 'tcp reset'
    ? 'reject with tcp reset'
    : `reject with ${String(body.type)} ${String(body.expr ?? 'port-unreachable')}`;
}

function renderSetStatement(body: Readonly<Record<string, unknown>>): string {
  const data = body.data === undefined ? '' : ` : ${renderNftExpression(body.data)}`;
  const inner = Array.isArray(body.stmt) ? body.stmt.map((item) => ` ${renderNftStatement(item)}`).join('') : '';
  return `${String(body.op)} ${String(body.set ?? body.map)} { ${renderNftExpression(body.elem)}${inner}${data} }`;
}

function renderLimit(body: unknown): string {
  const limit = asRecord(body);
  if (!limit) return `limit name ${JSON.stringify(body)}`;
  const unit = limit.rate_unit === undefined || limit.rate_unit === 'packets' ? '' : ` ${String(limit.rate_unit)}`;
  return `limit rate ${limit.inv === true ? 'over ' : ''}${String(limit.rate)}${unit}/${String(limit.per ?? 'second')}`;
}

function renderQuota(body: unknown): string {
  const quota = asRecord(body);
  if (!quota) return `quota name ${JSON.stringify(body)}`;
  return `quota ${quota.inv === true ? 'over ' : ''}${String(quota.val)} ${String(quota.val_unit ?? 'bytes')}`;
}

function options(body: Readonly<Record<string, unknown>> | undefined, names: readonly string[]): string {
  return names.map((name) => (body?.[name] === undefined ? '' : ` ${name} ${JSON.stringify(body[name])}`)).join('');
}

function flagText(flags: unknown): string {
  const names = asStrings(flags);
  return names.length === 0 ? '' : ` ${names.join(',')}`;
}

function offsetText(offset: unknown): string {
  return asNumber(offset) ? ` offset ${String(offset)}` : '';
}
