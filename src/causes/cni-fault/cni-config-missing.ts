import { type Ask, defineCause } from '../../diagnose/cause.ts';
import type { Evidence } from '../../diagnose/evidence.ts';
import { stateEvidence } from '../../diagnose/evidence-of.ts';
import { CLUSTER } from '../../net/place.ts';
import type { Node, Pod } from '../../snapshot/objects.ts';
import { isComplete } from '../../snapshot/snapshot.ts';
import { nodeByName } from '../shared/cluster-pods.ts';
import { present } from '../shared/present.ts';
import { podName } from '../shared/services.ts';

/**
 * The node has no CNI configuration (/etc/cni/net.d is empty), so that its runtime wires no new pod and reports
 * NetworkReady=false: the node goes NotReady ("cni plugin not initialized"), pods stick in ContainerCreating.
 */
export const cniConfigMissing = defineCause({
  id: 'cni-config-missing',
  class: 'cni-fault',
  title: 'The node has no CNI configuration',
  gravity: 'fault',
  at: 'path-node',
  needs: ['question', 'cni-configuration', 'api.nodes', 'api.pods'],
  optional: ['api.events'],
  explains: ['pod-not-running'],
  invariant: 'a node that runs pods has a CNI configuration',
  check(given, place, ask) {
    const { files, directory } = given['cni-configuration'].value;
    const usable = files.filter((file) => file.network);
    if (usable.length > 0)
      return { is: 'absent', because: `${place.node} has ${usable.map((file) => file.name).join(', ')}` };
    if (!isComplete(given['cni-configuration']))
      return { is: 'unknown', because: `the CNI configuration of ${place.node} was not read wholly` };
    if (files.length > 0)
      return {
        is: 'absent',
        because: `${directory} on ${place.node} has a configuration, but a wrong one: ${files.map((file) => `${file.name} (${file.problem ?? 'invalid'})`).join(', ')}`,
      };
    const node = nodeByName(given['api.nodes'].value, place.node);
    const complaint = node && readyComplaint(node);
    const stuck = stuckPods(given['api.pods'].value, place.node);
    const asked = [given.question.source, given.question.destination].flatMap((end) =>
      end.kind === 'pod' && end.node === place.node ? [`${end.namespace}/${end.name}`] : [],
    );
    const stuckAsked = stuck.filter((pod) => asked.includes(podName(pod)));
    const failures = stuckAsked.flatMap((pod) => networkFailure(pod, ask) ?? []);
    if (!complaint && failures.length === 0) {
      if (isReady(node))
        return {
          is: 'absent',
          because: `${place.node} has no CNI configuration in ${directory}, yet its runtime says that the network is ready: it reads another folder`,
        };
      return {
        is: 'unknown',
        because: `${directory} on ${place.node} is empty, and nothing tells whether the runtime reads another folder`,
      };
    }
    // Pods that have their network keep it, so that nothing between them ends by this.
    if (stuckAsked.length === 0)
      return {
        is: 'absent',
        because: `${place.node} has no CNI configuration any more, but no pod that was asked about waits there for its network`,
      };
    return present({
      claims: [],
      evidence: [
        {
          kind: 'cni-configuration',
          plane: 'kernel',
          place,
          source: given['cni-configuration'].source,
          values: { files: files.length },
          statement: `${directory} on ${place.node} has no CNI configuration`,
        },
        ...(complaint
          ? [
              stateEvidence(
                'node-condition',
                { ...CLUSTER, object: `node/${place.node}` },
                given['api.nodes'],
                `${place.node} is not ready: ${complaint}`,
              ),
            ]
          : []),
        ...failures,
        ...stuck
          .slice(0, 3)
          .map((pod) =>
            stateEvidence(
              'pod-state',
              { ...CLUSTER, object: `pod/${podName(pod)}` },
              given['api.pods'],
              `${podName(pod)} waits on ${place.node} for its network`,
            ),
          ),
      ],
      place: { ...place, object: directory },
      fix: {
        summary: `get the CNI’s agent to run on ${place.node} and write its configuration: see its pod there, and its init containers`,
        commands: [
          `ls -la ${directory}    # on ${place.node}`,
          `kubectl get pods -A -o wide --field-selector spec.nodeName=${place.node}    # the CNI’s own pod`,
        ],
      },
    });
  },
});

/** What runtimes and kubelets say of a missing configuration (containerd's and CRI-O's status, kubelet_node_status.go). */
const COMPLAINT =
  /cni plugin not initialized|cni config uninitialized|no network config found|No CNI configuration file/i;

/** What the kubelet says of the network in the Ready condition; undefined where it does not complain of it. */
function readyComplaint(node: Node): string | undefined {
  const ready = node.status.conditions?.find((condition) => condition.type === 'Ready');
  if (ready === undefined || ready.status === 'True') return undefined;
  return COMPLAINT.test(ready.message ?? '') ? ready.message : undefined;
}

function isReady(node: Node | undefined): boolean {
  return node?.status.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True') ?? false;
}

/** The event that tells for what the pod waits: a volume or an image keeps it Pending as well. */
function networkFailure(pod: Pod, ask: Ask<'api.events'>): Evidence | undefined {
  const { name, namespace = 'default' } = pod.metadata;
  const events = ask('api.events', CLUSTER, { namespace, name });
  if (events.state === 'unseen') return undefined;
  const event = events.value.find((one) => COMPLAINT.test(one.message ?? ''));
  if (!event) return undefined;
  const place = { ...CLUSTER, object: `pod/${podName(pod)}` };
  return stateEvidence('event', place, events, `${podName(pod)}: ${event.reason}: ${event.message}`);
}

function stuckPods(pods: readonly Pod[], node: string): Pod[] {
  return pods.filter(
    (pod) =>
      pod.spec.nodeName === node &&
      !pod.spec.hostNetwork &&
      pod.status.phase === 'Pending' &&
      (pod.status.podIPs ?? []).length === 0,
  );
}
