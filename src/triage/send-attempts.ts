import type { OwnTraffic } from '../capture/analyse-capture.ts';
import type { Request } from '../host/host.ts';
import type { TcpAnswer } from '../snapshot/probe-answers.ts';
import type { Run } from './run.ts';

/** How each datagram of ours begins. */
const PAYLOAD_PREFIX = 'podtriage attempt';

/** Sends the same probe several times, and tells how its packets are known among others'. */
export async function sendAttempts(run: Run, probe: Request, count: number): Promise<OwnTraffic> {
  const attempts = attemptsOf(probe, count);
  await run.collect('sending', attempts);
  if (probe.action === 'probe.udp') return { payloadPrefix: PAYLOAD_PREFIX };
  if (probe.action !== 'probe.tcp') return {};
  const answers = attempts.flatMap(({ place, args }) => {
    const answer = run.snapshot().fact('probe.tcp', place, args);
    return answer.state === 'seen' ? [answer.value] : [];
  });
  const ports = [
    ...answers.flatMap(({ localPort }) => localPort ?? []),
    ...(await translatedPorts(run, probe, answers)),
  ];
  return { sourcePorts: new Set(ports) };
}

/** The same probe several times at once, each from a port of its own; ping repeats by itself. */
function attemptsOf(probe: Request, count: number): Request[] {
  if (probe.action === 'probe.icmp') return [{ ...probe, args: { ...probe.args, count, attempt: 0 } }];
  return Array.from({ length: count }, (_, attempt) => {
    const args = { ...probe.args, attempt };
    if (probe.action !== 'probe.udp') return { ...probe, args };
    return { ...probe, args: { ...args, payload: `${PAYLOAD_PREFIX} ${attempt}` } };
  });
}

/**
 * Of a node's own connections a capture sees nothing before its rules have translated them, the port perhaps as well: the
 * kernel's table of connections tells to what. Where it can't be read, such a connection is not known to be ours.
 */
async function translatedPorts(run: Run, probe: Request, answers: readonly TcpAnswer[]): Promise<number[]> {
  if (probe.place.namespace !== 'host') return [];
  const { address: destination, port: destinationPort } = probe.args;
  const requests = answers.flatMap(({ localAddress: source, localPort: sourcePort }): Request[] => {
    if (source === undefined || sourcePort === undefined || destination === undefined || destinationPort === undefined)
      return [];
    const args = { protocol: 'tcp', source, sourcePort, destination, destinationPort };
    return [{ action: 'conntrack', place: probe.place, args, round: 0 }];
  });
  await run.collect('asking for the connections', requests);
  return requests.flatMap(({ place, args }) => {
    const entries = run.snapshot().fact('conntrack', place, args);
    return entries.state === 'seen' ? entries.value.flatMap(({ answer }) => answer.destinationPort ?? []) : [];
  });
}
