import { describe, expect, it } from 'vitest';
import { hostOf, podPlace } from '../net/place.ts';
import { AFTER_PROBES, type Reply, type Request } from './host.ts';
import { createReplayHost } from './replay.ts';

const links: Request = { action: 'links', place: hostOf('w1'), args: {}, round: 0 };

function reply(request: Request, text: string): Reply {
  const raw = new TextEncoder().encode(text);
  return { request, startedAtMs: 1_000, tookMs: 5, got: 'raw', raw, exitCode: 0, truncated: false, tool: '' };
}

async function ask(recorded: readonly Reply[], ...requests: readonly Request[]): Promise<readonly Reply[]> {
  const host = createReplayHost(recorded);
  const limits = { deadlineMs: 1_000, maxBytes: 1_000 };
  const answers: Reply[] = [];
  for await (const one of host.perform(requests, limits, new AbortController().signal)) answers.push(one);
  return answers;
}

describe('createReplayHost', () => {
  it('answers what was recorded, in whatever round and by whatever uid it is asked', async () => {
    const recorded = reply({ ...links, args: { b: 1, a: 2 }, podUid: 'u' }, 'first');
    const [answered] = await ask([recorded], { ...links, args: { a: 2, b: 1 }, round: 3 });
    expect(answered).toMatchObject({ got: 'raw', raw: new TextEncoder().encode('first') });
  });

  it('keeps the look after the probes apart, and the first of several', async () => {
    const after = { ...links, round: AFTER_PROBES };
    const recorded = [reply(links, 'first'), reply({ ...links, round: 2 }, 'again'), reply(after, 'after')];
    const answers = await ask(recorded, links, after);
    expect(answers.map((one) => one.got === 'raw' && Buffer.from(one.raw).toString())).toEqual(['first', 'after']);
  });

  it('says of anything else that it was not asked', async () => {
    const request: Request = { action: 'routes', place: podPlace('w1', 'shop', 'web'), args: { family: 6 }, round: 0 };
    const [answered] = await ask([reply(links, 'first')], request);
    expect(answered).toMatchObject({
      request,
      got: 'nothing',
      gap: 'not-asked',
      detail: 'the bundle has no routes family=6 of pod/shop/web on w1',
    });
  });

  it('looks at neither device nor object of a place, nor at an argument that asks for everything', async () => {
    const recorded = reply({ ...links, args: { table: '' } }, 'first');
    const [answered] = await ask([recorded], { ...links, place: { ...links.place, device: 'eth0' } });
    expect(answered).toMatchObject({ got: 'raw' });
    const [other] = await ask([recorded], { ...links, action: 'fdb' });
    expect(other).toMatchObject({ gap: 'not-asked' });
  });

  it('has the time of the recording', () => {
    expect(createReplayHost([reply(links, '')]).nowMs()).toBe(1_005);
  });
});
