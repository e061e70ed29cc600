import { defineCause } from '../../diagnose/cause.ts';
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
  explains: ['pod-not-running'],
  invariant: 'a node that runs pods has a CNI configuration',
  check(given, place) {
    const usable = given['cni-configuration'].value.files.filter((file) => file.network);
    if (usable.length > 0)
      return { is: 'absent', because: `${place.node} has ${usable.map((file) => file.name).join(', ')}` };
    if (!isComplete(given['cni-configuration']))
      return { is: 'unknown', because: `the CNI configuration of ${place.node} was not read wholly` };
    const node = nodeByName(given['api.nodes'].value, place.node);
    const complaint = node && readyComplaint(node);
    const stuck = stuckPods(given['api.pods'].value, place.node);
    const asked = [given.question.source, given.question.destination].flatMap((end) =>
      end.kind === 'pod' && end.node === place.node ? [`${end.namespace}/${end.name}`] : [],
    );
    if (!complaint && !stuck.some((pod) => asked.includes(podName(pod))))
      return {
        is: 'absent',
        because: `${place.node} has no CNI configuration in ${given['cni-configuration'].value.directory}, yet its runtime says that the network is ready: it reads another folder`,
      };
    const { directory, files } = given['cni-configuration'].value;
    return present({
      claims: [],
      evidence: [
        {
          kind: 'cni-configuration',
          plane: 'kernel',
          place,
          source: given['cni-configuration'].source,
          values: { files: files.length },
          statement:
            files.length === 0
              ? `${directory} on ${place.node} is empty`
              : `${directory} on ${place.node} has no valid configuration: ${files.map((file) => `${file.name} (${file.problem ?? 'invalid'})`).join(', ')}`,
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

/** What the kubelet says of the network in the Ready condition; undefined where it does not complain of it. */
function readyComplaint(node: Node): string | undefined {
  const ready = node.status.conditions?.find((condition) => condition.type === 'Ready');
  if (ready?.status === 'True') return undefined;
  return /cni|network/i.test(ready?.message ?? '') ? ready?.message : undefined;
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
