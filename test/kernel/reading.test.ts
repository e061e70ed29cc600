import { describe, expect, it } from 'vitest';
import { hostOf } from '../../src/net/place.ts';
import type { Asked } from './collect-case.ts';
import { readingOf } from './reading.ts';

function asked(action: string, argv?: readonly string[]): Asked {
  const request = { action, place: hostOf('a'), args: {}, round: 0 };
  return argv ? { request, step: { do: 'run', ns: 'a', argv } } : { request, text: 'nothing' };
}

function texts(asks: readonly Asked[], results: readonly Record<string, unknown>[]): readonly string[] {
  return readingOf(asks)
    .repliesOf(results)
    .map((reply) => (reply.got === 'raw' ? new TextDecoder().decode(reply.raw) : reply.got));
}

const ASKS = [
  asked('routes', ['ip', '-4', '-j', 'route', 'show']),
  asked('sockets', ['ss', '-H']),
  asked('fdb'),
  asked('rules', ['ip', '-4', '-j', 'rule', 'show']),
  asked('links', ['ip', '-j', 'addr', 'show']),
];

describe('reading', () => {
  it('asks ip once for what has the same options', () => {
    expect(readingOf(ASKS).steps).toEqual([
      { do: 'run', ns: 'a', argv: ['ip', '-4', '-j', '-batch', '-'], input: 'route show\nrule show\n' },
      { do: 'run', ns: 'a', argv: ['ss', '-H'] },
      { do: 'run', ns: 'a', argv: ['ip', '-j', 'addr', 'show'] },
    ]);
  });

  it('gives each question its own answer', () => {
    const results = [
      { out: '[1]\n[2]\n', code: 0 },
      { out: 'udp\n', code: 0 },
      { out: '[3]\n', code: 0 },
    ];
    expect(texts(ASKS, results)).toEqual(['[1]\n', 'udp\n', 'nothing', '[2]\n', '[3]\n']);
  });

  it('takes no answer for another', () => {
    expect(() => texts(ASKS, [{ out: '[1]\n', code: 1 }, { out: '' }, { out: '' }])).toThrow('1 answers to 2');
  });
});
