import type { DatapathPart } from '../../simulate/datapath.ts';
import type { ClusterLook } from '../cluster-look.ts';
import { makePart } from '../cni-finding.ts';

/** Handlers that start ordinary processes in an ordinary network namespace. */
const ORDINARY = /^(runc|crun|youki|nvidia([-.].*)?|amd-?gpu|habana|sysbox-runc)$/i;
const GVISOR = /gvisor|runsc/i;
const KATA = /kata|firecracker|confidential|^cc-|peerpod/i;

/**
 * Pods whose containers have another kernel than the node's: sockets and rules inside are invisible from outside, and
 * gVisor takes the addresses off the namespace's own devices. A RuntimeClass of unknown name may be such a one.
 * Sources: google/gvisor runsc/sandbox/network.go (createInterfacesAndRoutesFromNS); kata-containers docs/design/architecture/networking.md.
 */
export function detectRuntime(look: ClusterLook, pods?: ReadonlySet<string>): DatapathPart[] {
  return look.pods.flatMap((pod) => {
    const name = `${pod.metadata.namespace ?? 'default'}/${pod.metadata.name}`;
    const runtime = pod.spec.runtimeClassName;
    if (runtime === undefined || ORDINARY.test(runtime) || (pods !== undefined && !pods.has(name))) return [];
    const by = GVISOR.test(runtime) ? 'gvisor' : KATA.test(runtime) ? 'kata' : 'unknown';
    const said = by === 'unknown' ? 'which is not known and may be a sandbox' : `a sandbox of ${by}`;
    return [
      makePart({
        role: 'runtime',
        by,
        mode: runtime,
        modelled: false,
        pod: name,
        statement: `pod ${name} runs by RuntimeClass ${runtime}, ${said}: what is inside it cannot be seen from the node`,
        sources: look.podsSource ? [{ ...look.podsSource, text: `pod ${name}` }] : [],
      }),
    ];
  });
}
