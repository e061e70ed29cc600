import type { XtMatch } from './iptables-core.ts';
import { option } from './iptables-words.ts';

/** What no state decides, so that the walk goes both ways. */
export const CHANCE_MATCHES: readonly XtMatch[] = [
  {
    name: 'statistic random',
    isUndecidable: true,
    words: ({ draw }) => {
      const probability = draw.pick(['0.5', '1', '0']);
      return {
        match: `-m statistic --mode random --probability ${probability}`,
        negated: `-m statistic --mode random ! --probability ${probability}`,
      };
    },
  },
  {
    name: 'statistic nth',
    isUndecidable: true,
    words: () => ({ match: '-m statistic --mode nth --every 2 --packet 0' }),
  },
  {
    name: 'limit',
    isUndecidable: true,
    words: ({ draw }) => ({
      match: `-m limit --limit ${draw.pick(['1/hour --limit-burst 1', '1/hour --limit-burst 1', '5/sec'])}`,
    }),
  },
  {
    name: 'hashlimit',
    isUndecidable: true,
    words: ({ draw, network }) => {
      const words = `1/hour --hashlimit-burst 2 --hashlimit-mode ${draw.pick(['srcip', 'dstip,dstport'])} --hashlimit-name ${network.unique('h')}`;
      return { match: `-m hashlimit --hashlimit-upto ${words}`, negated: `-m hashlimit --hashlimit-above ${words}` };
    },
  },
  {
    name: 'recent',
    isUndecidable: true,
    words: ({ draw }) => ({
      match: `-m recent ${draw.pick(['--set', '--rcheck', '--update --seconds 60', '--remove'])} --name K`,
    }),
  },
  { name: 'quota', isUndecidable: true, words: ({ draw }) => option('quota', `--quota ${draw.pick([0, 50, 100000])}`) },
  { name: 'time', isUndecidable: true, words: () => option('time', '--weekdays Mon,Tue,Wed') },
  {
    name: 'string',
    isUndecidable: true,
    words: ({ draw }) => {
      const text = draw.pick(['a', 'zzz']);
      return { match: `-m string --string ${text} --algo bm`, negated: `-m string ! --string ${text} --algo bm` };
    },
  },
  {
    name: 'bpf',
    isUndecidable: true,
    words: ({ packet }) =>
      packet.family === 4 ? { match: '-m bpf --bytecode "4,48 0 0 9,21 0 1 6,6 0 0 1,6 0 0 0"' } : undefined,
  },
  { name: 'cpu', isUndecidable: true, words: () => option('cpu', '--cpu 0') },
  {
    name: 'policy',
    isUndecidable: true,
    hooks: ['PREROUTING', 'INPUT', 'FORWARD'],
    words: () => ({ match: '-m policy --dir in --pol none', negated: '-m policy --dir in --pol ipsec' }),
  },
  {
    name: 'realm',
    isUndecidable: true,
    hooks: ['INPUT', 'FORWARD', 'OUTPUT', 'POSTROUTING'],
    words: ({ packet }) => (packet.family === 4 ? option('realm', '--realm 0x0') : undefined),
  },
  { name: 'comment', words: () => ({ match: '-m comment --comment "said by the rule"' }) },
];
