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

const BARE_META = new Set(['iif', 'oif', 'iifname', 'oifname', 'iiftype', 'oiftype', 'iifgroup', 'oifgroup']);
/** Keys whose values nft prints in quotes. */
const QUOTED = new Set(['iif', 'oif', 'iifname', 'oifname', 'iifkind', 'oifkind', 'iifgroup', 'oifgroup', 'hour']);

export function renderNftStatement(statement: unknown): string {
  if (typeof statement === 'string') return statement;
  return typeof statement === 'object' && statement !== null
    ? once(statement, statementText)
    : statementText(statement);
}

const texts = new WeakMap<object, string>();

/** The walk asks for the same texts with every packet. */
function once(node: object, render: (node: unknown) => string): string {
  const known = texts.get(node);
  if (known !== undefined) return known;
  const text = render(node);
  texts.set(node, text);
  return text;
}

function statementText(statement: unknown): string {
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
      return renderLog(body ?? {});
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
    case 'reset':
      return `reset ${renderNftExpression(node.body)}`;
    case 'ct helper':
    case 'ct timeout':
    case 'ct expectation':
    case 'secmark':
    case 'synproxy':
      return body ? node.kind : `${node.kind} set ${JSON.stringify(node.body)}`;
    default:
      return JSON.stringify(statement);
  }
}

export function renderNftExpression(expression: unknown): string {
  if (typeof expression === 'string' || typeof expression === 'number' || typeof expression === 'boolean') {
    return String(expression);
  }
  return typeof expression === 'object' && expression !== null
    ? once(expression, expressionText)
    : expressionText(expression);
}

function expressionText(expression: unknown): string {
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
      return `jhash ${renderNftExpression(body?.expr)} mod ${String(body?.mod)}${seedText(body?.seed)}${offsetText(body?.offset)}`;
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
      return `${renderNftExpression(body?.val)}${body?.timeout === undefined ? '' : ` timeout ${String(body.timeout)}s`}`;
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
  const left = nftNode(body.left);
  const operands = left && OPERATORS.has(left.kind) && Array.isArray(left.body) ? left.body : undefined;
  // Flags under a list of flags: `tcp flags syn / fin,syn,rst,ack`.
  if (operands && body.op === '==' && left?.kind === '&' && Array.isArray(operands[1])) {
    return `${renderNftExpression(operands[0])} ${renderNftExpression(body.right)} / ${renderNftExpression(operands[1])}`;
  }
  const usual = body.op === undefined || body.op === 'in' || (body.op === '==' && !operands);
  const op = usual ? '' : `${String(body.op)} `;
  return `${renderNftExpression(body.left)} ${op}${renderRight(body.right, body.left)}`;
}

const OPERATORS = new Set(['&', '|', '^', '<<', '>>']);

/** The right side as nft prints it beside this left side: names of devices quoted, marks in hexadecimal. */
function renderRight(right: unknown, left: unknown): string {
  if (typeof right === 'boolean') return right ? 'exists' : 'missing';
  if (typeof right === 'string' && right.startsWith('@')) return right;
  const node = nftNode(right);
  if (node?.kind === 'set' && Array.isArray(node.body)) {
    return `{ ${node.body.map((element) => renderRight(element, left)).join(', ')} }`;
  }
  if (node?.kind === 'range' && Array.isArray(node.body)) {
    return node.body.map((end) => renderRight(end, left)).join('-');
  }
  if (typeof right === 'string' && isQuoted(left)) return JSON.stringify(right);
  return isMark(left) ? markText(right) : renderNftExpression(right);
}

function isQuoted(left: unknown): boolean {
  const node = nftNode(left);
  return QUOTED.has(metaKey(left) ?? '') || (node?.kind === 'fib' && asRecord(node.body)?.result === 'oifname');
}

function markText(value: unknown): string {
  if (typeof value === 'number') return hexText(value, 8);
  const node = nftNode(value);
  return node && OPERATORS.has(node.kind) ? renderBinary(node.kind, node.body) : renderNftExpression(value);
}

function hexText(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

function isMark(expression: unknown): boolean {
  const node = nftNode(expression);
  if (node && OPERATORS.has(node.kind) && Array.isArray(node.body)) return isMark(node.body[0]);
  const key = asRecord(node?.body)?.key;
  return metaKey(expression) === 'mark' || ((node?.kind === 'ct' || node?.kind === 'socket') && key === 'mark');
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
  const mark = isMark(body[0]) && operator !== '<<' && operator !== '>>';
  return body.map((item) => (mark ? markText(item) : renderNftExpression(item))).join(` ${operator} `);
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
  const flags = asStrings(body.flags);
  const prefix = flags.includes('netmap') ? ' prefix' : '';
  const others = flags.filter((flag) => flag !== 'netmap');
  return `${kind}${to === '' ? '' : `${family}${prefix} to ${to}`}${flagText(others)}`;
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
  const burst = limit.burst_unit === undefined ? '' : ` burst ${String(limit.burst)} ${String(limit.burst_unit)}`;
  const rate = `${String(limit.rate)}${unit}/${String(limit.per ?? 'second')}`;
  return `limit rate ${limit.inv === true ? 'over ' : ''}${rate}${burst}`;
}

function renderQuota(body: unknown): string {
  const quota = asRecord(body);
  if (!quota) return `quota name ${JSON.stringify(body)}`;
  return `quota ${quota.inv === true ? 'over ' : ''}${String(quota.val)} ${String(quota.val_unit ?? 'bytes')}`;
}

function renderLog(body: Readonly<Record<string, unknown>>): string {
  const prefix = body.prefix === undefined ? '' : ` prefix ${JSON.stringify(body.prefix)}`;
  const rest = ['group', 'level'].map((name) => (body[name] === undefined ? '' : ` ${name} ${String(body[name])}`));
  return `log${prefix}${rest.join('')}`;
}

function flagText(flags: unknown): string {
  const names = asStrings(flags);
  return names.length === 0 ? '' : ` ${names.join(',')}`;
}

function seedText(seed: unknown): string {
  const value = asNumber(seed);
  return value === undefined ? '' : ` seed ${hexText(value, 0)}`;
}

function offsetText(offset: unknown): string {
  return asNumber(offset) ? ` offset ${String(offset)}` : '';
}
