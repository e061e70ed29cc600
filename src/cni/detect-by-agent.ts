import type { DatapathPart } from '../simulate/datapath.ts';
import type { Truth } from '../simulate/trace.ts';
import { agentsNamed } from './agents.ts';
import { type ClusterLook, hostsWithLink, nodesCalling } from './cluster-look.ts';
import { type CniFinding, makePart, runsAs, sourcesOf } from './cni-finding.ts';

export interface KnownCni {
  readonly by: string;
  /** Names of its containers, and what its image's own name looks like. */
  readonly containers: readonly string[];
  readonly image: RegExp;
  /** Types in the CNI configuration. */
  readonly pluginTypes: readonly string[];
  /** Devices of the host that only it makes; `x*` is a beginning. */
  readonly devices: readonly string[];
  readonly mode?: string;
  readonly modelled: boolean;
  readonly roles: readonly DatapathPart['role'][];
  readonly podAddressesRoutable: Truth;
  /** What is said of its datapath: `pod traffic goes through Open vSwitch`. */
  readonly datapath: string;
}

/** A CNI that is told by its agent, its entry in the CNI configuration or its devices, and has one mode of working. */
export function detectByAgent(look: ClusterLook, known: KnownCni): CniFinding | undefined {
  const agents = agentsNamed(look.agents, known.containers, known.image);
  const devices = known.devices.flatMap((name) => hostsWithLink(look, name));
  const calls = nodesCalling(look, known.pluginTypes);
  const traces = [...calls, ...devices];
  if (agents.length === 0 && traces.length === 0) return undefined;
  const nodes = [...new Set(traces.map((one) => one.node))].join(', ');
  const where = agents.length > 0 ? runsAs(agents) : `is set up on ${nodes}`;
  const sources = [...sourcesOf(agents), ...traces.map((one) => one.source)];
  const parts = known.roles.map((role) =>
    makePart({
      role,
      by: known.by,
      mode: known.mode,
      modelled: known.modelled,
      statement: `${known.by} ${where}: ${known.datapath}`,
      sources,
    }),
  );
  const { by, podAddressesRoutable } = known;
  return { by, parts, podAddressesRoutable, seenBy: agents.length > 0 || calls.length > 0 ? 'agent' : 'state' };
}
