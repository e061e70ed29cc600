import { expect, it } from 'vitest';
import type { Reply } from '../../host/host.ts';
import { hostOf } from '../../net/place.ts';
import { createSnapshot } from '../../snapshot/create-snapshot.ts';
import { programmedModes } from './programmed-mode.ts';

function chainsReply(names: readonly string[]): Reply {
  const request = { action: 'nft.chains', place: hostOf('w1'), args: {}, round: 1 };
  const chains = names.map((name, index) => `\tchain ${name} { # handle ${index}\n\t}\n`);
  const raw = new TextEncoder().encode(`table ip nat {\n${chains.join('')}}\n`);
  return { request, startedAtMs: 0, tookMs: 1, got: 'raw', raw, exitCode: 0, truncated: false, tool: '' };
}

it('knows kube-proxy’s iptables mode by the list of chains, where the rules were too many to be read at once', () => {
  const [mode] = programmedModes(createSnapshot([chainsReply(['KUBE-SERVICES', 'KUBE-SVC-5UX2CDJJR6YYZ5MA'])]), 'w1');
  expect(mode).toMatchObject({ mode: 'iptables', backend: 'nft', source: { text: ':KUBE-SVC-5UX2CDJJR6YYZ5MA' } });
  expect(programmedModes(createSnapshot([chainsReply(['KUBE-MARK-DROP', 'KUBE-SERVICES'])]), 'w1')).toEqual([]);
});
