import { type Check, PASSED } from './check.ts';
import { type Cursor, familyAt, unknownEnd, type Walk } from './cursor.ts';
import { makeStep, sourceOf } from './steps.ts';
import { readInterface, readSysctl, type SysctlValue, switchedOn } from './sysctl.ts';

/**
 * Whether this namespace forwards what came in by `input`. IPv4: the input device's own setting (IN_DEV_FORWARD), which
 * writing ip_forward sets for all. IPv6: `all`, or (Linux 6.17) the input device's force_forwarding (ip6_forward). A packet
 * is dropped without an error.
 */
export function forwardingCheck(walk: Walk, cursor: Cursor, input: string): Check {
  const { snapshot } = walk.world;
  const { place } = cursor;
  const isFour = familyAt(cursor) === 4;
  const read = (key: string): SysctlValue => readSysctl(snapshot, place, key);
  const own = isFour ? readInterface(snapshot, place, 4, input, 'forwarding') : undefined;
  if (own?.state === 'seen' && own.value > 0) return PASSED;
  const whole = read(isFour ? 'net.ipv4.ip_forward' : 'net.ipv6.conf.all.forwarding');
  const decisive = own?.state === 'seen' ? own : whole;
  const isOn = switchedOn(decisive.state === 'absent' ? { state: 'unseen', key: decisive.key } : decisive);
  if (isOn === 'yes') return PASSED;
  const force = readInterface(snapshot, place, 6, input, 'force_forwarding');
  const isForced = isFour ? 'no' : switchedOn(force);
  if (isForced === 'yes') return PASSED;
  const unseen = isOn === 'unknown' ? decisive : isForced === 'unknown' ? force : undefined;
  if (unseen) return { steps: [], end: unknownEnd(cursor, `${unseen.key} was not seen`) };
  // Where forwarding as a whole is off, that is what to mend.
  const shown = switchedOn(whole) === 'no' && whole.state === 'seen' ? whole : decisive;
  const step = makeStep({
    kind: 'sysctl',
    at: 'route input',
    matched: 'no',
    source: sourceOf(snapshot.fact('sysctls', place), `${shown.key} = 0`),
    values: { check: 'forwarding', key: shown.key, value: '0', needed: '1', device: input },
    text: `${shown.key} is 0: what comes in by ${input} is not forwarded`,
  });
  return { steps: [step], end: { end: 'forwarding-disabled', cursor, senderSees: 'nothing' } };
}
