import type { Family } from '../../net/address.ts';
import type { FactArgs, FactName } from '../../snapshot/facts.ts';
import type { Snapshot, SnapshotChange } from '../../snapshot/snapshot.ts';

/** What a change does to the state that was read. `impossible`: the kernel's tools would refuse it, or it names nothing. */
export type Effect =
  | { readonly is: 'changes' | 'same' | 'impossible' }
  | { readonly is: 'unseen'; readonly detail: string };

export function effectOfChange(snapshot: Snapshot, change: SnapshotChange): Effect {
  const [name, args] = factOf(change);
  const before = snapshot.fact(name, change.place, args);
  if (before.state === 'unseen') return { is: 'unseen', detail: before.detail };
  const after = snapshot.with([change]).fact(name, change.place, args);
  if (after.state === 'unseen') return { is: 'unseen', detail: after.detail };
  if (after.unparsed.length > before.unparsed.length) return { is: 'impossible' };
  if (after === before) return { is: 'impossible' };
  // A rule that is put in or taken out, or a policy that is another, always changes something; the table may be long.
  if (change.op === 'rule' || change.op === 'policy') return { is: 'changes' };
  return { is: JSON.stringify(after.value) === JSON.stringify(before.value) ? 'same' : 'changes' };
}

/** The fact that a change is made to. */
function factOf(change: SnapshotChange): readonly [FactName, FactArgs] {
  switch (change.op) {
    case 'rule':
    case 'policy':
      return ruleFactOf(change);
    case 'route':
      return ['routes', { family: familyOfLine(change.line) }];
    case 'sysctl':
      return ['sysctls', {}];
    case 'neighbour':
      return ['neighbours', {}];
    case 'fdb':
      return ['fdb', {}];
    case 'socket':
      return ['sockets', {}];
    case 'link':
    case 'address':
      return ['links', {}];
    case 'object':
      return [change.fact, {}];
  }
}

function ruleFactOf(change: SnapshotChange & { readonly op: 'rule' | 'policy' }): readonly [FactName, FactArgs] {
  if (change.backend === 'iptables.legacy') return ['iptables.legacy', { family: change.family }];
  if (change.backend === 'iptables.nft') return ['iptables.nft', { family: change.family, table: '' }];
  const [family = '', name = ''] = change.table.split(' ');
  return ['nft.table', { family, name }];
}

export function familyOfLine(line: string): Family {
  return line.includes(':') ? 6 : 4;
}
