import { familyOf } from '../net/address.ts';
import type { Place } from '../net/place.ts';
import { formatPrefix } from '../net/prefix.ts';
import type { Snapshot } from '../snapshot/snapshot.ts';
import type { RouteFound, RouteKey } from './routes.ts';
import { makeStep, sourceOf } from './steps.ts';
import type { Step } from './trace.ts';

const TABLE_NAMES: Readonly<Record<number, string>> = { 253: 'default', 254: 'main', 255: 'local' };

type Purpose = 'forward' | 'output' | 'input' | 'reverse';

const known = new WeakMap<RouteFound, Partial<Record<Purpose, Step>>>();

export function routeStep(
  snapshot: Snapshot,
  place: Place,
  key: RouteKey,
  found: RouteFound,
  purpose: Purpose,
  doubt?: string,
): Step {
  // A look-up that is remembered tells the same again.
  const steps = known.get(found) ?? {};
  const former = steps[purpose];
  if (former && doubt === undefined && former.values['address'] === key.destination) return former;
  const step = makeRouteStep(snapshot, place, key, found, purpose, doubt);
  if (found.route && doubt === undefined) {
    steps[purpose] = step;
    known.set(found, steps);
  }
  return step;
}

function makeRouteStep(
  snapshot: Snapshot,
  place: Place,
  key: RouteKey,
  found: RouteFound,
  purpose: Purpose,
  doubt: string | undefined,
): Step {
  const observed = snapshot.fact('routes', place, { family: familyOf(key.destination) });
  const { route, hop, rule } = found;
  const table = route ? (TABLE_NAMES[route.table] ?? String(route.table)) : '';
  return makeStep({
    kind: 'route',
    at: `route ${table || purpose}`,
    matched: doubt === undefined ? (found.type === 'none' ? 'no' : 'yes') : 'unknown',
    source: sourceOf(observed, route?.text),
    values: {
      purpose,
      address: key.destination,
      table: route?.table,
      type: found.type,
      destination: route && formatPrefix(route.destination),
      via: hop?.via,
      device: hop?.device,
      metric: route?.metric,
      preferredSource: route?.preferredSource,
      protocol: route?.protocol,
      rulePriority: rule?.priority,
      ruleText: rule?.text,
      routeText: route?.text,
      mtu: route?.mtu,
      reason: found.type === 'none' ? 'no-match' : undefined,
    },
    text: textOf(key, found, doubt),
    features: [`route ${found.type}`],
  });
}

function textOf(key: RouteKey, { type, route, hop, rule }: RouteFound, doubt: string | undefined): string {
  const unsure = doubt === undefined ? '' : ` (not sure: ${doubt})`;
  if (type === 'none') return `no route to ${key.destination}${unsure}`;
  if (!route) return `rule ${rule?.priority} makes ${key.destination} ${type}${unsure}`;
  const to = hop?.via ? ` via ${hop.via}` : '';
  const by = hop?.device ? ` by ${hop.device}` : '';
  const named = formatPrefix(route.destination);
  return `${key.destination}: ${type === 'unicast' ? '' : `${type} `}route ${named}${to}${by}${unsure}`;
}
