import { Command } from 'commander';
import { EXIT, type ExitCode } from './exit-codes.ts';

/** `workflow`: the decision procedure that every diagnosis follows; a report's "way taken" names its steps. */
export function workflowCommand(done: (code: ExitCode) => void): Command {
  return new Command('workflow').description('the decision procedure').action(() => {
    process.stdout.write(PROCEDURE);
    done(EXIT.healthy);
  });
}

const PROCEDURE = `The decision procedure. Every step is a probe from the source's own network namespace; where none
can be made, the walk through the kernel's rules and routes answers, and the report says so.

 resolve-name      does the name resolve at each of the pod's nameservers?
   └ no, at none   dns-server-direct: does each DNS server itself answer?      → dns-failure
 ping              does ping get through? (it explains, it does not decide: no NET_RAW, filtered ICMP,
                   and a ClusterIP that never answers ping are no faults)
 port-open         does a real connect() to the port succeed?
   ├ yes           sizes: do packets of the pod's MTU get through as well?
   │                 └ no                                                      → large-packet-loss
   │                 └ yes                                                     → healthy
   ├ a proxy's     past-proxy: does it answer past the mesh's proxy that accepted it?  (no verdict by that)
   ├ refused       somebody answered: nobody listens, or a rule rejects        → port-unreachable
   └ no answer     endpoint-direct: does each endpoint answer past the Service?
                     ├ yes, one does                                           → port-unreachable
                     └ no; did ping get through?   yes → port-unreachable, no  → network-unreachable
 cni               is the pod wired at all: addresses, routes, the CNI's files? → cni-fault
 walk              the packet is walked through the real rules and routes there and back; each place
                   where it dies is a finding, claimed by a root cause or reported as unexplained
 second look       counters are read again after the probes: what rose tells what dropped
`;
