import { defineCause } from '../../diagnose/cause.ts';
import { type DeadEnd, probeEvidence, stateEvidence } from '../../diagnose/evidence-of.ts';
import { deadEndsTo, flowsTo } from '../../diagnose/service-flows.ts';
import type { Socket } from '../../parse/ss.ts';
import type { Pod, Service, ServicePort } from '../../snapshot/objects.ts';
import { isComplete } from '../../snapshot/snapshot.ts';
import { backendsOf, slicesOfService } from '../../target/service-backends.ts';
import { absentFromWalks } from '../shared/absent-from-walks.ts';
import { claimsOf, distinctBy } from '../shared/claims.ts';
import { askedPort, placeWords, processText, reachableSockets, socketsOn } from '../shared/listeners.ts';
import { present } from '../shared/present.ts';
import { podName, selectedPods, serviceAt, serviceName, servicePlace } from '../shared/services.ts';

/**
 * The Service's targetPort, a number or the name of a container's port, is none that its pods listen on, and they listen
 * on another one. A name that no container port has leaves the EndpointSlice without that port.
 */
export const wrongTargetPort = defineCause({
  id: 'wrong-target-port',
  class: 'port-unreachable',
  title: 'The Service’s targetPort is not the port that its pods listen on',
  gravity: 'fault',
  at: 'service',
  needs: ['flows', 'api.services', 'api.pods', 'api.endpointslices', 'question'],
  optional: ['sockets'],
  refines: ['no-listener'],
  invariant: 'the Service’s targetPort is a port that its pods listen on',
  check(given, place, ask) {
    const service = serviceAt(place, given['api.services'].value);
    if (!service) return { is: 'absent', because: 'there is no such Service' };
    const unnamed = unknownPortName(service, given['api.pods'].value, given.question.port);
    if (unnamed && slicesOfService(given['api.endpointslices'].value, service).length > 0) {
      if (isComplete(given['api.pods'])) return nameFinding();
      return { is: 'unknown', because: `not every pod was read: one may have a port named "${unnamed.targetPort}"` };
    }
    const dead = deadEndsTo(service, given.flows).flatMap((end) => {
      const asked = askedPort(end);
      const at = { node: end.leaf.end.place.node, namespace: end.leaf.end.place.namespace };
      if (end.leaf.end.end !== 'no-listener' || !asked || at.namespace === 'host') return [];
      // Where the rules send elsewhere than the EndpointSlices say, they are stale, and the Service may be right.
      if (!isListed(end, service) || isMeant(at.namespace, asked.port) || isServedBy(service, asked.port)) return [];
      const sockets = ask('sockets', at);
      if (!isComplete(sockets) || socketsOn(sockets.value, asked).length > 0) return [];
      const others = reachableSockets(sockets.value, asked.protocol);
      return others.length > 0 ? [{ end, asked, sockets, others }] : [];
    });
    if (dead.length === 0)
      return absentFromWalks(
        given.flows,
        `${serviceName(service)} sends to ports that its pods listen on, or they listen on none`,
      );
    const first = dead[0]!;
    const port = (service.spec.ports ?? []).find((one) => one.port === first.end.flow.port) ?? service.spec.ports?.[0];
    const right = first.others[0]!.port;
    return present({
      claims: claimsOf(dead.map((one) => one.end)),
      evidence: [
        stateEvidence(
          'target-port',
          place,
          given['api.services'],
          `${serviceName(service)} port ${port?.port} has targetPort ${port?.targetPort ?? port?.port}: packets are sent to ${first.asked.protocol} port ${first.asked.port}`,
        ),
        ...distinctBy(dead, (one) => one.end.leaf.end.place.namespace).map((one) =>
          stateEvidence(
            'sockets',
            one.end.leaf.end.place,
            one.sockets,
            `${placeWords(one.end.leaf.end.place)} listens on ${openPorts(one.others)}, not on ${one.asked.port}`,
          ),
        ),
        ...probeEvidence(distinctBy(dead, (one) => one.end.flow.id).map((one) => one.end.flow)),
      ],
      place: servicePlace(service),
      fix: {
        summary: `set the targetPort of ${serviceName(service)} to the port that the pods listen on (${openPorts(first.others)})`,
        commands:
          port && distinctBy(first.others, (socket) => String(socket.port)).length === 1
            ? [patchCommand(service, port, right)]
            : [`kubectl -n ${service.metadata.namespace} edit service ${service.metadata.name}`],
      },
    });

    function isListed({ leaf }: DeadEnd, of: Service): boolean {
      const { ip, l4 } = leaf.end.packet;
      if (!('destinationPort' in l4)) return false;
      return (of.spec.ports ?? [])
        .flatMap((port) => backendsOf(given['api.endpointslices'].value, of, port))
        .some((backend) => backend.address === ip.destination && backend.port === l4.destinationPort);
    }

    /** The pod declares the port: its application is to listen there, and does not. */
    function isMeant(namespace: string, port: number): boolean {
      const found = given['api.pods'].value.find((one) => `pod/${podName(one)}` === namespace);
      return (found?.spec.containers ?? []).some((container) =>
        (container.ports ?? []).some((declared) => declared.containerPort === port),
      );
    }

    /** Another pod of the Service listens there: the port is right, and one pod lacks its listener. */
    function isServedBy(of: Service, port: number): boolean {
      return flowsTo(of, given.flows)
        .flatMap((flow) => flow.leaves)
        .some(({ ref, end }) => {
          const { l4 } = end.packet;
          const isThere = ref.leg === 'forward' && end.end === 'delivered' && end.place.namespace.startsWith('pod/');
          return isThere && 'destinationPort' in l4 && l4.destinationPort === port;
        });
    }

    function nameFinding() {
      const flows = flowsTo(service!, given.flows);
      const known = [...new Set(selectedPods(service!, given['api.pods'].value).flatMap(portNames))];
      return present({
        claims: claimsOf(deadEndsTo(service!, given.flows)),
        evidence: [
          stateEvidence(
            'target-port',
            place,
            given['api.services'],
            `${serviceName(service!)} port ${unnamed!.port} has the targetPort "${unnamed!.targetPort}", and no container of its pods has a port of that name${known.length > 0 ? ` (they have ${known.join(', ')})` : ''}`,
          ),
          ...probeEvidence(flows),
        ],
        place: servicePlace(service!),
        fix: {
          summary: `name a port that the pods have${known.length > 0 ? ` (${known.join(', ')})` : ''}, or its number`,
          commands: [`kubectl -n ${service!.metadata.namespace} edit service ${service!.metadata.name}`],
        },
      });
    }
  },
});

function unknownPortName(service: Service, pods: readonly Pod[], asked: number | undefined): ServicePort | undefined {
  const selected = selectedPods(service, pods);
  if (selected.length === 0) return undefined;
  return (service.spec.ports ?? [])
    .filter((port) => asked === undefined || port.port === asked)
    .find(
      (port) =>
        typeof port.targetPort === 'string' &&
        !/^\d+$/.test(port.targetPort) &&
        !selected.some((pod) => portNames(pod).includes(String(port.targetPort))),
    );
}

function portNames(pod: Pod): string[] {
  return [...pod.spec.containers, ...(pod.spec.initContainers ?? [])].flatMap((container) =>
    (container.ports ?? []).flatMap((port) => port.name ?? []),
  );
}

function openPorts(sockets: readonly Socket[]): string {
  return distinctBy(sockets, (socket) => String(socket.port))
    .slice(0, 6)
    .map((socket) => `${socket.port}${processText(socket)}`)
    .join(', ');
}

function patchCommand(service: Service, port: ServicePort, right: number): string {
  const index = (service.spec.ports ?? []).indexOf(port);
  return `kubectl -n ${service.metadata.namespace} patch service ${service.metadata.name} --type json -p '[{"op":"replace","path":"/spec/ports/${index}/targetPort","value":${right}}]'`;
}
