import { familyOf } from '../../net/address.ts';
import type { Place } from '../../net/place.ts';
import { prefixContains } from '../../net/prefix.ts';
import { parseBridgeFdbLine } from '../../parse/bridge-fdb.ts';
import type { Link } from '../../parse/ip-link.ts';
import { parseIpNeighLine } from '../../parse/ip-neigh.ts';
import { parseIpRouteLine } from '../../parse/ip-route-line.ts';
import { parseAddressLine } from '../../snapshot/address-line.ts';
import type { SnapshotChange } from '../../snapshot/snapshot.ts';
import { nearNames } from '../../target/near-names.ts';
import { familyOfLine } from './effect-of-change.ts';
import type { WhatIf } from './what-if.ts';
import { type Meant, type Met, nothing, type WhatIfContext, wasMet } from './what-if-context.ts';

type Act = 'add' | 'remove';
type LineOp = Extract<SnapshotChange, { readonly line: string }>['op'];

/** The verb of `ip` and `bridge`, or what the sign says where there is none. */
function actOf({ sign, words }: WhatIf): { readonly act: Act; readonly line: string } {
  const verb = /^(?<verb>add|append|replace|change|del|delete|remove)\s+(?<rest>.+)$/s.exec(words)?.groups;
  const isRemoval = verb ? /^(del|remove)/.test(verb['verb']!) : sign === 'without';
  return { act: isRemoval ? 'remove' : 'add', line: verb?.['rest'] ?? words };
}

function lineChange(op: LineOp, act: Act, line: string, place: Place, met: Met, shown?: string): Meant {
  const kind = op === 'neighbour' ? 'neigh' : op;
  const text = act === 'add' ? `with ${kind} ${line}` : `without ${kind} ${line}`;
  const candidate = { change: { op, act, line, place, text } as SnapshotChange, name: `${kind} ${line}`, met };
  return { candidates: [shown === undefined ? candidate : { ...candidate, shown }] };
}

/** `net.ipv4.ip_forward=1`; the key must be one that is read, or the walk would not heed it. */
export function sysctlChange({ words }: WhatIf, place: Place, { snapshot, trip }: WhatIfContext): Meant {
  const pair = /^(?<key>[^\s=]+)\s*=\s*(?<value>.+)$/.exec(words)?.groups;
  if (!pair) return nothing(`'sysctl ${words}' is not understood: say sysctl KEY=VALUE`);
  const key = pair['key']!.includes('.') ? pair['key']! : pair['key']!.replaceAll('/', '.');
  const value = pair['value']!.trim();
  const observed = snapshot.fact('sysctls', place);
  if (observed.state === 'unseen') return nothing('the sysctls were not read');
  const keys = Object.keys(observed.value);
  if (!keys.includes(key)) return nothing(`there is no sysctl ${key} that a walk heeds`, nearNames(key, keys));
  return {
    candidates: [
      {
        change: { op: 'sysctl', key, value, place, text: `with sysctl ${key} = ${value}` },
        name: `sysctl ${key}=${value}`,
        shown: `it is ${observed.value[key]}`,
        met: wasMet(trip, place, (step) => step.kind === 'sysctl' && step.values['key'] === key),
      },
    ],
  };
}

/** A line of `ip route`. The kernel refuses a gateway that is on no network of the place, and so does this. */
export function routeChange(whatIf: WhatIf, place: Place, { snapshot, family }: WhatIfContext): Meant {
  const { act, line: asked } = actOf(whatIf);
  // A default route without an address is of the packet's own family; it is written so that this shows.
  const line = family === 6 && !/\d\.\d|:/.test(asked) ? asked.replace(/\bdefault\b/, '::/0') : asked;
  const kind = familyOfLine(line);
  const route = parseIpRouteLine(line, kind);
  if (!route) return nothing(`'${line}' is no route in the words of ip route`);
  if (act === 'remove') return lineChange('route', act, line, place, 0);
  const links = linksAt(place, snapshot);
  for (const { device, via } of route.nextHops) {
    if (device !== undefined && !links.some((link) => link.name === device)) return noDevice(device, links);
    if (via === undefined || route.flags.includes('onlink')) continue;
    const onLink = links.find(
      (link) =>
        (device === undefined || link.name === device) &&
        link.addresses.some(({ prefix }) => familyOf(prefix.address) === familyOf(via) && prefixContains(prefix, via)),
    );
    if (!onLink && !isRoutedOnLink(via, device, place, snapshot, kind))
      return nothing(`${via} is on no network of ${device ?? 'any device'} (onlink says that it is)`);
    if (device === undefined && onLink) return lineChange('route', act, `${line} dev ${onLink.name}`, place, 0);
  }
  return lineChange('route', act, line, place, 0);
}

function isRoutedOnLink(
  via: string,
  device: string | undefined,
  place: Place,
  snapshot: WhatIfContext['snapshot'],
  family: 4 | 6,
): boolean {
  const routes = snapshot.fact('routes', place, { family });
  if (routes.state === 'unseen') return true;
  return routes.value.some(
    (route) =>
      route.destination.length > 0 &&
      prefixContains(route.destination, via) &&
      route.nextHops.some((hop) => hop.via === undefined && (device === undefined || hop.device === device)),
  );
}

/** A line of `ip addr`. */
export function addressChange(whatIf: WhatIf, place: Place, { snapshot }: WhatIfContext): Meant {
  const { act, line } = actOf(whatIf);
  const parsed = parseAddressLine(line);
  if (!parsed) return nothing(`'${line}' is no address: say ADDRESS/LENGTH dev DEVICE`);
  const links = linksAt(place, snapshot);
  if (!links.some((link) => link.name === parsed.device)) return noDevice(parsed.device, links);
  return lineChange('address', act, line, place, 0);
}

/** A line of `ip neigh`; one that is added stays, as `nud permanent`. */
export function neighbourChange(whatIf: WhatIf, place: Place, { snapshot, trip }: WhatIfContext): Meant {
  const { act, line } = actOf(whatIf);
  const asked = parseIpNeighLine(line);
  if (!asked) return nothing(`'${line}' is no neighbour: say ADDRESS dev DEVICE lladdr MAC`);
  const links = linksAt(place, snapshot);
  if (!links.some((link) => link.name === asked.device)) return noDevice(asked.device, links);
  const isStateless = act === 'add' && asked.states.length === 0 && !asked.proxy;
  const met = wasMet(trip, place, ({ kind, values }) => kind === 'neighbour' && values['address'] === asked.address);
  return lineChange('neighbour', act, isStateless ? `${line} nud permanent` : line, place, met);
}

/** A line of `bridge fdb`. */
export function fdbChange(whatIf: WhatIf, place: Place, { snapshot }: WhatIfContext): Meant {
  const { act, line } = actOf(whatIf);
  const asked = parseBridgeFdbLine(line);
  if (!asked) return nothing(`'${line}' is no forwarding entry: say MAC dev DEVICE [dst ADDRESS]`);
  const links = linksAt(place, snapshot);
  if (!links.some((link) => link.name === asked.device)) return noDevice(asked.device, links);
  return lineChange('fdb', act, line, place, 0);
}

const SWITCH: Readonly<Record<string, boolean>> = { on: true, off: false };

type LinkSet = Extract<SnapshotChange, { readonly op: 'link' }>['set'];

/** `[set] [dev] DEVICE up|down|mtu N|address MAC|master BRIDGE|nomaster|hairpin on|off|isolated on|off …`; `--without 'link X'` sets it down. */
export function linkChange({ sign, words }: WhatIf, place: Place, { snapshot, trip }: WhatIfContext): Meant {
  const tokens = words
    .replace(/^set\s+/, '')
    .replace(/^dev\s+/, '')
    .split(/\s+/);
  const device = tokens.shift()!;
  const set = sign === 'without' && tokens.length === 0 ? { up: false } : linkSetOf(tokens);
  if (!set)
    return nothing(
      `'link ${words}' is not understood: say link DEVICE up, down, mtu N, address MAC, master BRIDGE, nomaster, hairpin on, isolated off`,
    );
  const links = linksAt(place, snapshot);
  if (!links.some((link) => link.name === device)) return noDevice(device, links);
  const said = tokens.length === 0 ? 'down' : tokens.join(' ');
  return {
    candidates: [
      {
        change: { op: 'link', device, set, place, text: `with link ${device} ${said}` },
        name: `link ${device} ${said}`,
        met: wasMet(trip, place, (step) => step.values['device'] === device),
      },
    ],
  };
}

function linkSetOf(words: readonly string[]): LinkSet | undefined {
  const set: { -readonly [K in keyof LinkSet]: LinkSet[K] } = {};
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!;
    const value = words[at + 1];
    if (word === 'up' || word === 'down') set.up = word === 'up';
    else if (word === 'nomaster') set.master = '';
    else if (value === undefined) return undefined;
    else if (word === 'mtu' && /^\d+$/.test(value)) set.mtu = Number(value);
    else if (word === 'address' && /^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(value)) set.mac = value;
    else if (word === 'master') set.master = value;
    else if ((word === 'hairpin' || word === 'isolated') && value in SWITCH) set[word] = SWITCH[value]!;
    else return undefined;
    if (word !== 'up' && word !== 'down' && word !== 'nomaster') at++;
  }
  return Object.keys(set).length > 0 ? set : undefined;
}

/** `tcp 0.0.0.0:8080`, or a line of `ss`. To be taken away: every socket of that protocol and port, and address if one is said. */
export function socketChange(whatIf: WhatIf, place: Place, context: WhatIfContext): Meant {
  const { act, line } = actOf(whatIf);
  const asked =
    /^(?<protocol>tcp|udp|sctp)\s+(?:[A-Z][A-Z0-9-]*\s+\d+\s+\d+\s+)?(?:(?<address>\S*):)?(?<port>\d+)(?:\s|$)/.exec(
      line,
    )?.groups;
  if (!asked) return nothing(`'socket ${line}' is not understood: say socket tcp ADDRESS:PORT`);
  const { protocol = '', port = '' } = asked;
  const address = asked['address']?.replaceAll(/[[\]]/g, '');
  if (act === 'add') {
    const state = protocol === 'tcp' ? 'LISTEN' : 'UNCONN';
    const local =
      address === undefined || address === '' || address === '*'
        ? '*'
        : address.includes(':')
          ? `[${address}]`
          : address;
    const any = local === '*' ? '*' : local.startsWith('[') ? '[::]' : '0.0.0.0';
    const added = `${protocol} ${state} 0 4096 ${local}:${port} ${any}:*`;
    return lineChange('socket', act, added, place, endsAt(place, context));
  }
  const sockets = context.snapshot.fact('sockets', place);
  if (sockets.state === 'unseen') return nothing('the sockets were not read');
  const found = sockets.value.filter(
    (socket) =>
      socket.protocol === protocol &&
      socket.port === Number(port) &&
      (address === undefined || address === '' || address === (socket.address ?? '*')),
  );
  if (found.length === 0) return nothing(`nothing listens on ${protocol} ${address ?? '*'}:${port}`);
  return {
    candidates: found.flatMap(
      (socket) => lineChange('socket', act, socket.text, place, endsAt(place, context)).candidates,
    ),
  };
}

/** Where the way there ends is where a socket is meant. */
function endsAt(place: Place, { trip }: WhatIfContext): Met {
  const ends = trip.forward.segments.some(
    ({ then }) => 'end' in then && then.place.node === place.node && then.place.namespace === place.namespace,
  );
  return ends ? 2 : 0;
}

function linksAt(place: Place, snapshot: WhatIfContext['snapshot']): readonly Link[] {
  const observed = snapshot.fact('links', place);
  return observed.state === 'seen' ? observed.value : [];
}

function noDevice(device: string, links: readonly Link[]): Meant {
  return nothing(
    `there is no device ${device}`,
    nearNames(
      device,
      links.map((link) => link.name),
    ),
  );
}
